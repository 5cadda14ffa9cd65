//go:build real

package realtest

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// javaApp is clients/java/Demo.java, as the kind that its first lines tell.
func javaApp(kind string) func(t *testing.T) *exec.Cmd {
	return func(t *testing.T) *exec.Cmd {
		t.Helper()
		cmd := exec.Command(tool(t, "java", "install Java 17"), "-XX:TieredStopAtLevel=1", "-cp", javaClasses(t),
			"Demo", kind)
		cmd.Dir = t.TempDir()
		return cmd
	}
}

// javaClasses is the class path of clients/java: what the project of testdata depends on, and the compiled files. Both
// are kept in the cache.
func javaClasses(t *testing.T) string {
	t.Helper()
	project := filepath.Join("testdata", "clients-java", "pom.xml")
	libraries := filepath.Join(cached(t, "clients-java-libraries-", []string{project}, func(fresh string) {
		copyInto(t, fresh, project)
		command(t, 5*time.Minute, fresh, tool(t, "mvn", "install Maven"), "-q", "-B",
			"org.apache.maven.plugins:maven-dependency-plugin:3.11.0:copy-dependencies", "-DoutputDirectory=.")
	}), "*")
	sources := []string{"../../clients/java/Demo.java", "../../clients/java/SidecarFilter.java",
		"../../clients/java/TwoFiltersTest.java"}
	classes := cached(t, "clients-java-classes-", append(sources, project), func(fresh string) {
		args := []string{"-Xlint:all", "-Werror", "-d", fresh, "-cp", libraries}
		command(t, 5*time.Minute, "", tool(t, "javac", "install a JDK of Java 17"), append(args, sources...)...)
	})
	return classes + string(filepath.ListSeparator) + libraries
}

// TestJavaClient runs the test that lies beside the client, for what the table of cases cannot see.
func TestJavaClient(t *testing.T) {
	command(t, 5*time.Minute, "", tool(t, "java", "install Java 17"), "-cp", javaClasses(t), "TwoFiltersTest")
}
