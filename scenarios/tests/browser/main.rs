//! What people see, in a real browser: headless Chromium, driven over WebDriver. `browser` starts and stops it, `report`
//! opens a report from disk.

mod browser;
mod report;
