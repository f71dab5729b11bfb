mod bodies;
mod callers;
mod etags;
mod limits;
mod problems;
mod routers;
mod world;
