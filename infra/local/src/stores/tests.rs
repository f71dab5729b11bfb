mod differential;
mod killed;
mod money;
mod objects;
mod restart;
mod support;
