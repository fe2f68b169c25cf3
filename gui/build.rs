//! Puts the `.ui` files, the style and the icons into the program.

fn main() {
    glib_build_tools::compile_resources(
        &["ui", "../data/icons"],
        "ui/stiefelsystem.gresource.xml",
        "stiefelsystem.gresource",
    );
}
