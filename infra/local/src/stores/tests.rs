mod differential;
mod money;
mod objects;
mod restart;
mod support;
