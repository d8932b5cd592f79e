//! What people see, in a real browser: headless Chromium, driven over WebDriver. `browser` starts and stops it, `site` is an
//! app to look at, `report` opens a report from disk, `accessibility` has axe-core judge every page,
//! `pages` walks through the app as people do, `uploads` hands pictures over in every way, `presigned` past the web server, `parity`
//! compares what the preview promises with what is saved, also of `strangers`, which browsers show otherwise.

mod accessibility;
mod browser;
mod pages;
mod parity;
mod presigned;
mod report;
mod site;
mod strangers;
mod uploads;
