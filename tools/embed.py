"""Writes a C source that holds a file's bytes: embed.py NAME INPUT OUTPUT."""
import sys

name, source, target = sys.argv[1:]
data = open(source, "rb").read()
with open(target, "w") as out:
    out.write("#include <stddef.h>\n")
    out.write(f"extern const unsigned char {name}[];\nextern const size_t {name}_size;\n")
    out.write(f"const unsigned char {name}[] = {{\n")
    for at in range(0, len(data), 20):
        out.write(",".join(str(byte) for byte in data[at:at + 20]) + ",\n")
    out.write(f"0}};\nconst size_t {name}_size = {len(data)};\n")
