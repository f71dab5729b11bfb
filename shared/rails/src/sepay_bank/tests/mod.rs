mod authenticity;
mod listing;
mod transfers;
