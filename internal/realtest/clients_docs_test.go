//go:build real

package realtest

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// snippets are the blocks of docs/clients.md and README.md in a language.
func snippets(t *testing.T, language string) []string {
	t.Helper()
	var out []string
	for _, page := range []string{"docs/clients.md", "README.md"} {
		for _, part := range strings.Split(testkit.ReadFile(t, "../../"+page), "```"+language+"\n")[1:] {
			code, _, _ := strings.Cut(part, "```")
			out = append(out, code)
		}
	}
	if len(out) == 0 {
		t.Fatalf("the pages show nothing in %s", language)
	}
	return out
}

func TestTheSnippetsInPythonRun(t *testing.T) {
	for i, code := range snippets(t, "python") {
		cmd := python(t, "-c", code+"\nassert callable(app)")
		cmd.Env = append(cmd.Env, "PYTHONPATH="+absolute(t, "../../clients/python"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("block %d: %v\n%s", i+1, err, out)
		}
	}
}

func TestTheSnippetsForNodeRun(t *testing.T) {
	dir := nodeFolder(t)
	for i, code := range snippets(t, "js") {
		name := fmt.Sprintf("block%d.mjs", i+1)
		testkit.WriteFile(t, filepath.Join(dir, name), code)
		cmd := exec.Command(tool(t, "node", "install Node 20 or newer"), name)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// springTypes stand for the types of Spring that a block names; the others are those of the filter and of the JDK.
const springTypes = `
@interface Bean {}
interface Ordered { int HIGHEST_PRECEDENCE = 0; }
class FilterRegistrationBean<T> {
    FilterRegistrationBean(T filter) {}
    void setOrder(int order) {}
}
`

func TestTheSnippetsInJavaCompile(t *testing.T) {
	blocks := snippets(t, "java")
	const imports = "import jakarta.servlet.http.HttpServletRequest;\nimport java.net.http.HttpRequest;\n" +
		"import java.time.Duration;\nimport java.util.Map;\n"
	file := filepath.Join(t.TempDir(), "Snippets.java")
	testkit.WriteFile(t, file, imports+springTypes+"class Configuration {\n"+blocks[0]+"}\n"+
		strings.Join(blocks[1:], "\n"))
	command(t, 5*time.Minute, "", tool(t, "javac", "install a JDK of Java 17"), "-d", t.TempDir(), "-cp",
		javaClasses(t),
		file)
}
