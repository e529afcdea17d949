"""Makes the environment and becomes the program. Exit status: the program's, or 65 if an input is wrong."""

import json
import os
import subprocess
import sys
import venv
import zipfile

from os import path


def fail(why):
    print(why, file=sys.stderr)
    sys.exit(65)


def unpack(archive, folder):
    """The wheels of an archive, by their own names and no folders: none can be put elsewhere."""
    try:
        with zipfile.ZipFile(archive) as wheels:
            for entry in wheels.infolist():
                name = path.basename(entry.filename)
                if name.endswith(".whl"):
                    with wheels.open(entry) as data, open(path.join(folder, name), "wb") as out:
                        while block := data.read(1 << 20):
                            out.write(block)
    except zipfile.BadZipFile:
        fail("wheels.zip: is not a zip archive; make it with: zip -j wheels.zip wheels/*.whl")


def main():
    with open(os.environ["VE_PARAMS_FILE"], encoding="utf-8") as file:
        arguments = json.load(file)["arguments"]
    inputs, work, out = (os.environ[k] for k in ("VE_INPUT_DIR", "VE_WORK_DIR", "VE_OUTPUT_DIR"))
    requirements, archive = path.join(inputs, "requirements.txt"), path.join(inputs, "wheels.zip")
    wheels, home = path.join(work, "wheels"), path.join(work, "environment")
    os.makedirs(wheels, exist_ok=True)
    if path.exists(archive):
        unpack(archive, wheels)

    print("making the environment", flush=True)
    venv.create(home, clear=True, with_pip=True, system_site_packages=True)
    python = path.join(home, "bin", "python")
    pip = [python, "-I", "-m", "pip", "--disable-pip-version-check", "--no-input", "--no-cache-dir"]
    if path.exists(requirements):
        install = [*pip, "install", "--quiet", "--no-index", "--only-binary=:all:", "--find-links", wheels, "-r", requirements]
        if subprocess.run(install, check=False).returncode:
            fail("requirements.txt: cannot be met by the node's packages and wheels.zip, see above; put what is missing "
                 "into wheels.zip, built for Python %d.%d" % sys.version_info[:2])
    listed = subprocess.run([*pip, "freeze", "--all"], capture_output=True, text=True, check=True).stdout
    listing = path.join(out, "environment.txt")
    with open(listing + ".new", "w", encoding="utf-8") as file:
        file.write("# Python %s\n%s" % (sys.version.split()[0], listed))
    os.replace(listing + ".new", listing)

    print("starting the program", flush=True)
    os.chdir(work)
    # In the place of this process, so that the warning ahead of the time limit reaches it.
    os.environ["VIRTUAL_ENV"], os.environ["PATH"] = home, path.join(home, "bin") + ":" + os.environ["PATH"]
    os.execv(python, [python, "-u", path.join(inputs, "program.py"), *arguments])


if __name__ == "__main__":
    main()
