//! How the device's path is tested: its loader, its entry and its ways out over the model, and the model itself against
//! loaders that break one rule each.

mod entering;
mod loading;
mod support;
mod violations;
