//! The functions' real binaries, run as Lambda runs them (`infra/emulator`): the Runtime API, API Gateway's and the
//! scheduler's events, TLS to everything outside, and environments that are frozen between two events.

mod cloud;
mod failures;
mod first_call;
mod leaving;
mod main_job;
mod programs;
mod secrets;

use cloud::Cloud;
