//! The smallest program that everybody knows.

const std = @import("std");

pub fn main(init: std.process.Init) !void {
    var out = std.Io.File.stdout().writer(init.io, &.{});
    try out.interface.writeAll("Hello from Zig.\n");
}
