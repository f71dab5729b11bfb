mod authenticity;
mod transfers;
