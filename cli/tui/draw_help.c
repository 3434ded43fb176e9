/* Draws the list of keys. */
#include "cli/tui/app.h"
#include "cli/tui/keys.h"

enum { MOST_WIDTH = 80, KEYS = 20 };

/* Made from the table of keys. */
void tui_draw_help(struct tui_box screen)
{
    const struct tui_key *key;
    int lines = 0, width = screen.width - 4 < MOST_WIDTH ? screen.width - 4 : MOST_WIDTH;
    for (size_t i = 0; (key = tui_key_at(i)); i++)
        lines += key->label != NULL;
    int height = lines + 2 < screen.height ? lines + 2 : screen.height;
    int y = (screen.height - height) / 2, x = (screen.width - width) / 2;
    screen_text(y++, x, width, LOOK_CHOSEN, "  keys");
    for (size_t i = 0; (key = tui_key_at(i)) && lines > 0 && y < screen.height - 1; i++) {
        if (!key->label)
            continue;
        screen_print(y, x, KEYS, LOOK_STRONG, "  %s", key->label);
        screen_text(y++, x + KEYS, width - KEYS, LOOK_PLAIN, key->help);
    }
    screen_text(y, x, width, LOOK_CHOSEN, "  any key goes back");
}
