//! The server killed, its disk damaged or full, its clock moved: nothing acknowledged is lost, nothing is left behind.
