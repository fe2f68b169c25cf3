//! The application "Lend my disk".

fn main() -> gtk::glib::ExitCode {
    stiefel_gui::run()
}
