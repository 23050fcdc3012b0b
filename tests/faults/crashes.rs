//! The server killed, its disk damaged or full, its clock moved: nothing acknowledged is lost, nothing is left behind.

mod clock;
mod concurrency;
mod damage;
mod destinations;
mod disk;
mod event_sources;
mod events;
mod kept;
mod kill_points;
mod killed;
mod long_queue;
mod power;
mod random_kills;
mod releases;
mod stands_still;
mod start;
mod versions;
