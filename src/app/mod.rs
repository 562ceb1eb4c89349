//! State, actions, key table, run loop, jobs, terminal and command line.
