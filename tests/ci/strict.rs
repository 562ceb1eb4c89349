//! Whether a tool that a test needs must be there: under `WHEELWRIGHT_CI=1` a missing one is a failure, else the test is shown
//! as ignored, with the reason.

/// Whether it must.
pub fn is_strict() -> bool {
    std::env::var_os("WHEELWRIGHT_CI").is_some_and(|value| value == "1")
}
