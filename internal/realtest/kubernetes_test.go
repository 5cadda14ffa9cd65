//go:build real

package realtest

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// kubernetesFolder has the manifests.
const kubernetesFolder = "../../deploy/kubernetes"

// The oldest version of Kubernetes that has what the pods need, and the newest whose schemas are there.
const oldest, newest = "1.30", "1.37"

// manifests judges a folder of manifests: as kustomize builds it, by the types of Kubernetes and the evaluator of the
// Pod Security Standards (testdata/manifests), and by the published schemas (kubernetes-validate).
type manifests struct{ program, python string }

func newManifests(t *testing.T) manifests {
	t.Helper()
	return manifests{goProgram(t, "manifests"), filepath.Join(pythonEnvironment(t, "kubernetes-validate"), "bin",
		"python")}
}

// judge returns the objects of a folder, and what each tool said that refused one. Versions are those of Kubernetes.
func (m manifests) judge(t *testing.T, folder string, versions ...string) (objects [][]byte, refusals string) {
	t.Helper()
	out, refusals := verdict(t, m.program, folder, filepath.Join(folder, "podmonitor.yaml"))
	args := []string{"-m", "kubernetes_validate", "--strict", "--quiet", "--no-warn"}
	for _, version := range versions {
		args = append(args, "-k", version)
	}
	_, more := verdict(t, m.python, append(args, testkit.TempFile(t, "objects.yaml", string(out)))...)
	return bytes.Split(out, []byte("\n---\n")), refusals + more
}

func TestKubernetesManifests(t *testing.T) {
	t.Parallel()
	m := newManifests(t)
	objects, refusals := m.judge(t, kubernetesFolder, oldest, newest)
	if refusals != "" {
		t.Fatalf("the manifests are refused:\n%s", refusals)
	}
	t.Run("what is wrong in a manifest is found", m.findMistakes)
	t.Run("policies may come in an image, as the guide says", m.judgeImage)
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
			folder := changedManifests(t, mistake.file, func(text string) string {
				return strings.ReplaceAll(text, mistake.right, mistake.wrong)
			})
			if _, refusals := m.judge(t, folder, newest); !strings.Contains(refusals, mistake.words) {
				t.Errorf("want %q, got:\n%s", mistake.words, refusals)
			}
		})
	}
}

// changedManifests is a copy of the folder in which one file is another.
func changedManifests(t *testing.T, name string, change func(text string) string) (folder string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "kubernetes")
	if err := os.CopyFS(folder, os.DirFS(kubernetesFolder)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, name)
	text := testkit.ReadFile(t, file)
	if change(text) == text {
		t.Fatalf("%s has not what is to be changed", name)
	}
	testkit.WriteFile(t, file, change(text))
	return folder
}

// judgeImage adds the patch of the guide.
func (m manifests) judgeImage(t *testing.T) {
	patch := regexp.MustCompile("(?s)```yaml\n(patches:.*?)```").FindStringSubmatch(
		testkit.ReadFile(t, "../../docs/deploy.md"))
	if patch == nil {
		t.Fatal("the guide has no patch")
	}
	folder := changedManifests(t, "kustomization.yaml", func(text string) string { return text + patch[1] })
	objects, refusals := m.judge(t, folder, newest)
	image := []byte(`{"image":{"reference":"registry.example/orders-policies:1.0.0"},"name":"policies"}`)
	if refusals != "" || !bytes.Contains(bytes.Join(objects, nil), image) {
		t.Errorf("the patch of the guide is refused, or mounts no image:\n%s", refusals)
	}
}
