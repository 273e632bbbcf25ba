"""What mkdocs.yml has no setting for: files from elsewhere, and the script that draws diagrams only where there are any."""
import os
import pathlib

from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = pathlib.Path(os.environ.get("DOCS_PACKAGES", ROOT / "build-docs-tools" / "npm" / "node_modules"))
ADDED = {
    "assets/mermaid.js": PACKAGES / "@mermaid-js" / "tiny" / "dist" / "mermaid.tiny.js",
    "assets/openapi.yaml": ROOT / "openapi.yaml",
    "assets/postman/doorward.postman_collection.json": ROOT / "postman" / "doorward.postman_collection.json",
    "assets/postman/doorward.postman_environment.json": ROOT / "postman" / "doorward.postman_environment.json",
}


def on_files(files, config):
    for place, source in ADDED.items():
        files.append(File.generated(config, place, abs_src_path=str(source)))
    return files


def on_post_page(output, page, config):
    return output if 'class="mermaid"' in output else output.replace('<script src="assets/mermaid.js"></script>', "")
