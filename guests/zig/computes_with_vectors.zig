//! Arithmetic on vectors (SIMD in WebAssembly), wide integers, hashing and sorting by the standard library.

const std = @import("std");

pub fn main(init: std.process.Init) !void {
    var buffer: [512]u8 = undefined;
    var out = std.Io.File.stdout().writer(init.io, &buffer);
    const Lanes = @Vector(4, f32);
    var sum: Lanes = @splat(0);
    for (0..1000) |i| {
        const x: f32 = @floatFromInt(i);
        sum += Lanes{ x, x * 2, x * 3, x * 4 } / @as(Lanes, @splat(8));
    }
    try out.interface.print("lanes {d:.3} {d:.3} {d:.3} {d:.3}\n", .{ sum[0], sum[1], sum[2], sum[3] });

    var factorial: u256 = 1;
    for (1..51) |i| factorial *= i;
    try out.interface.print("50! = {d}\n", .{factorial});

    var digest: [32]u8 = undefined;
    std.crypto.hash.sha2.Sha256.hash("twine", &digest, .{});
    try out.interface.print("sha256 {x}\n", .{digest});

    const numbers = try init.gpa.alloc(u32, 50_000);
    defer init.gpa.free(numbers);
    for (numbers, 0..) |*number, i| number.* = @as(u32, @truncate(i)) *% 2654435761;
    std.mem.sort(u32, numbers, {}, std.sort.asc(u32));
    try out.interface.print("median {d}\n", .{numbers[numbers.len / 2]});
    try out.interface.flush();
}
