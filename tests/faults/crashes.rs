//! The server killed, its disk damaged or full, its clock moved: nothing acknowledged is lost, nothing is left behind.

mod clock;
mod concurrency;
mod damage;
mod destinations;
mod disk;
mod events;
mod kill_points;
mod killed;
mod power;
mod start;
mod versions;
