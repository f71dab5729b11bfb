mod bodies;
mod callers;
mod limits;
mod problems;
mod routers;
mod world;
