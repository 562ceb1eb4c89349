//! wheelwright shows, step by step, what happens to a native artifact between `cargo build` and the wheel.
//!
//! Three wings: [`engine`] knows binaries, files and rules and no screen; [`app`] holds the state, the run loop and
//! the command line; [`views`] draws. `engine` never names `app` or `views`; `views` never changes state.

pub mod app;
pub mod engine;
pub mod views;
