#![doc = include_str!("../README.md")]

mod connections;
mod emulator;
mod front;
mod gateway;
pub mod iam;
pub mod kms;
mod lambda;
mod logs;
mod moment;
mod outside;
mod scheduler;
mod template;

pub use emulator::{Emulator, Options, StartError};
pub use front::{Authority, Held, ParameterMood, Parameters};
pub use lambda::{ClientGone, Course, Ending, Function, FunctionError, InvokeError, Lambda, Poll, Reply};
pub use logs::Logs;
pub use scheduler::TickError;
pub use template::{
    Deployment, FunctionPlan, GatewayResponse, GatewayResponses, Given, Integration, MappedHeader, Mock,
    Route, TemplateError, Throttle, resolved,
};
