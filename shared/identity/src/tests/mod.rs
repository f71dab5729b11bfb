mod keys_in_use;
mod tokens;
mod users;
mod webhooks;
mod world;
