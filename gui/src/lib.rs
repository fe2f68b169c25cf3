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

mod app;
mod assistant;
mod autostart;
mod bus;
mod deeds;
mod history;
mod notifications;
mod pages;
mod picture;
mod preferences;
#[cfg(test)]
mod samples;
mod search_provider;
mod tray;
mod view;
mod widgets;
mod window;

pub use app::run;
