from spack.package import *


class CicApp(MakefilePackage):
    """The program."""

    homepage = "https://example.org/"
    url = "file:///software-catalog/src/cic-app-1.0.tar.gz"

    version("1.0")

    depends_on("cic-core")
    depends_on("cic-tool")

    def install(self, spec, prefix):
        make("install", "PREFIX={0}".format(prefix))
