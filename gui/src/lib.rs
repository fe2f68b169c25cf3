//! "Lend my disk": the window and the tray of Stiefelsystem.
//!
//! ```text
//! daemon ──▶ bus ──▶ Picture ──▶ view::View ──▶ window
//!   ▲                   ├─────▶ tray, notifications, search
//!   └───── Ask ◀── app's actions ◀── buttons, menus, the launcher
//! ```
//!
//! The application knows the daemon by its contract alone. What is shown is a
//! pure function of what the daemon says; widgets decide nothing.

mod bus;
mod deeds;
mod history;
mod notifications;
mod picture;
#[cfg(test)]
mod samples;
mod search_provider;
mod tray;
mod view;
