/* check.c - compares what the dialects make of every case with its expected
 * file, or writes that: vectors DIRECTORY [--update]. TAP. */
#include <glob.h>
#include <stdio.h>

#include "run.h"

static bool read_file(const char *path, ob_buffer *out)
{
    char room[4096];
    size_t count;
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    while ((count = fread(room, 1, sizeof(room), file)) > 0)
        ob_buffer_append(out, ob_slice_make(room, count));
    return fclose(file) == 0;
}

static bool write_file(const char *path, ob_slice text)
{
    FILE *file = fopen(path, "wb");
    return file && fwrite(text.ptr, 1, text.len, file) == text.len &&
           fclose(file) == 0;
}

/* Where two texts differ first, as a comment of TAP. */
static void show_difference(ob_slice expected, ob_slice got)
{
    size_t line = 1, at = 0, begin = 0;
    while (at < expected.len && at < got.len && expected.ptr[at] == got.ptr[at])
        if (got.ptr[at++] == '\n') {
            line++;
            begin = at;
        }
    printf("# line %zu\n# expected: %.300s\n# got: %.300s\n", line,
           begin < expected.len ? expected.ptr + begin : "",
           begin < got.len ? got.ptr + begin : "");
}

static bool check_case(const char *path, bool update)
{
    char beside[512];
    ob_buffer text = {0}, out = {0}, expected = {0};
    snprintf(beside, sizeof(beside), "%.*s.expected.json",
             (int)(strlen(path) - strlen(".case.json")), path);
    bool good =
        read_file(path, &text) && vectors_run(ob_buffer_slice(&text), &out);
    if (good && update)
        good = write_file(beside, ob_buffer_slice(&out));
    good = good && read_file(beside, &expected) &&
           ob_slice_eq(ob_buffer_slice(&expected), ob_buffer_slice(&out));
    if (!good) {
        ob_buffer_append_char(&out, 0);
        ob_buffer_append_char(&expected, 0);
        show_difference(ob_buffer_slice(&expected), ob_buffer_slice(&out));
    }
    ob_buffer_deinit(&text);
    ob_buffer_deinit(&out);
    ob_buffer_deinit(&expected);
    return good;
}

int main(int count, char **arguments)
{
    char pattern[512];
    glob_t found;
    bool update = count == 3 && !strcmp(arguments[2], "--update"), all = true;
    if (count != 2 && !update)
        return 2;
    snprintf(pattern, sizeof(pattern), "%s/*/*.case.json", arguments[1]);
    if (glob(pattern, 0, NULL, &found) != 0)
        return 1;
    printf("1..%zu\n", found.gl_pathc);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *path = found.gl_pathv[i];
        bool good = check_case(path, update);
        printf("%sok %zu - %s\n", good ? "" : "not ", i + 1,
               path + strlen(arguments[1]) + 1);
        all &= good;
    }
    globfree(&found);
    return all ? 0 : 1;
}
