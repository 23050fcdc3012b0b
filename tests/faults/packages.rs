//! Hostile and broken deployment packages: refused as a whole, or unpacked inside their folder.
