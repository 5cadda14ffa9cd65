//go:build real

package realtest

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// kubernetesFolder has the manifests.
const kubernetesFolder = "../../deploy/kubernetes"

// manifests judges a folder of manifests: as kustomize builds it, by the types of Kubernetes and the evaluator of the
// Pod Security Standards (testdata/manifests), and by the published schemas (kubernetes-validate).
type manifests struct{ program, python string }

func newManifests(t *testing.T) manifests {
	t.Helper()
	return manifests{goProgram(t, "manifests"), filepath.Join(pythonEnvironment(t, "kubernetes-validate"), "bin",
		"python")}
}

// judge returns the objects of a folder, and what each tool said that refused one.
func (m manifests) judge(t *testing.T, folder string) (objects [][]byte, refusals string) {
	t.Helper()
	out, refusals := verdict(t, m.program, folder, filepath.Join(folder, "podmonitor.yaml"))
	// The oldest version that has what the pods need, and the newest.
	_, more := verdict(t, m.python, "-m", "kubernetes_validate", "--strict", "--quiet", "--no-warn", "-k", "1.30",
		"-k", "1.37", testkit.TempFile(t, "objects.yaml", string(out)))
	return bytes.Split(out, []byte("\n---\n")), refusals + more
}

func TestKubernetesManifests(t *testing.T) {
	m := newManifests(t)
	objects, refusals := m.judge(t, kubernetesFolder)
	if refusals != "" {
		t.Fatalf("the manifests are refused:\n%s", refusals)
	}
	t.Run("what is wrong in a manifest is found", m.findMistakes)
	w := readWorkload(t, objects)
	t.Run("its ports, paths and times are those of the configuration", w.checkAgreement)
	t.Run("the pod decides, and takes up changes of its ConfigMap and its Secret", w.play)
}

// findMistakes shows that the tools see what they should: each mistake is refused, in these words.
func (m manifests) findMistakes(t *testing.T) {
	for _, mistake := range []struct{ file, right, wrong, words string }{
		{"deployment.yaml", "readOnlyRootFilesystem", "readOnlyRootFileSystem",
			`unknown field "spec.template.spec.initContainers[0].securityContext.readOnlyRootFileSystem"`},
		{"deployment.yaml", "drop: [ALL]", "drop: [KILL]", "unrestricted capabilities"},
		{"deployment.yaml", "        runAsNonRoot: true\n", "", "runAsNonRoot != true"},
		{"deployment.yaml", "seccompProfile: {type: RuntimeDefault}", "seccompProfile: {type: Unconfined}",
			"seccompProfile"},
		{"networkpolicy.yaml", "port: 9090", "prt: 9090", `unknown field "spec.ingress[1].ports[0].prt"`},
		{"podmonitor.yaml", "podMetricsEndpoints", "podMetricEndpoints", `unknown field "spec.podMetricEndpoints"`},
		// What only the published schemas say.
		{"service.yaml", "port: 80, ", "", "'port' is a required property"},
		{"poddisruptionbudget.yaml", "maxUnavailable: 1", "maxUnavailable: [1]", "maxUnavailable"},
	} {
		t.Run(mistake.file+" without "+strings.TrimSpace(mistake.right), func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "kubernetes")
			if err := os.CopyFS(folder, os.DirFS(kubernetesFolder)); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(folder, mistake.file)
			right := testkit.ReadFile(t, file)
			if !strings.Contains(right, mistake.right) {
				t.Fatalf("%s has no %q", mistake.file, mistake.right)
			}
			testkit.WriteFile(t, file, strings.ReplaceAll(right, mistake.right, mistake.wrong))
			if _, refusals := m.judge(t, folder); !strings.Contains(refusals, mistake.words) {
				t.Errorf("want %q, got:\n%s", mistake.words, refusals)
			}
		})
	}
}
