/* The least that an application of this kind is: a window with a bar and a button. */

#include <adwaita.h>

static void
activate (GtkApplication *app)
{
    GtkWidget *window = adw_application_window_new (app);
    GtkWidget *view = adw_toolbar_view_new ();
    GtkWidget *button = gtk_button_new_with_label ("Hello");

    gtk_window_set_title (GTK_WINDOW (window), "Hello");
    gtk_window_set_default_size (GTK_WINDOW (window), 620, 760);
    gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
    gtk_widget_set_halign (button, GTK_ALIGN_CENTER);
    adw_toolbar_view_add_top_bar (ADW_TOOLBAR_VIEW (view), adw_header_bar_new ());
    adw_toolbar_view_set_content (ADW_TOOLBAR_VIEW (view), button);
    adw_application_window_set_content (ADW_APPLICATION_WINDOW (window), view);
    gtk_window_present (GTK_WINDOW (window));
}

int
main (int argc, char **argv)
{
    g_autoptr (AdwApplication) app = adw_application_new ("org.stiefelsystem.Hello", G_APPLICATION_DEFAULT_FLAGS);

    g_signal_connect (app, "activate", G_CALLBACK (activate), NULL);
    return g_application_run (G_APPLICATION (app), argc, argv);
}
