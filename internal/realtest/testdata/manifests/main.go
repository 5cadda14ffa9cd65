// Command manifests builds a kustomization as kubectl does, and judges what comes of it by Kubernetes' own types and
// by its own evaluator of the Pod Security Standards. It prints the objects as JSON, between the marks of documents of
// YAML. The exit status is 1 when one of them is refused.
//
//	manifests DIRECTORY [FILE...]
//
// Further files hold objects that are not part of the kustomization.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	disruption "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: manifests DIRECTORY [FILE...]")
		os.Exit(2)
	}
	out, err := run(os.Args[1], os.Args[2:])
	_, _ = os.Stdout.Write(out)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(directory string, files []string) ([]byte, error) {
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), directory)
	if err != nil {
		return nil, err
	}
	var documents [][]byte
	for _, r := range built.Resources() {
		text, err := r.MarshalJSON()
		if err != nil {
			return nil, err
		}
		documents = append(documents, text)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err == nil {
			text, err = yaml.YAMLToJSONStrict(text)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		documents = append(documents, text)
	}
	for _, d := range documents {
		if err := judge(d); err != nil {
			return nil, err
		}
	}
	return bytes.Join(documents, []byte("\n---\n")), nil
}

// judge decodes one object as the API server does, strictly. A Deployment's pods must meet the standard "restricted"
// as well.
func judge(text []byte) error {
	var head meta.TypeMeta
	if err := json.UnmarshalCaseSensitivePreserveInts(text, &head); err != nil {
		return err
	}
	object := map[meta.TypeMeta]any{
		{APIVersion: "v1", Kind: "Namespace"}:                        &core.Namespace{},
		{APIVersion: "v1", Kind: "ConfigMap"}:                        &core.ConfigMap{},
		{APIVersion: "v1", Kind: "Service"}:                          &core.Service{},
		{APIVersion: "apps/v1", Kind: "Deployment"}:                  &apps.Deployment{},
		{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"}:  &networking.NetworkPolicy{},
		{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"}:       &disruption.PodDisruptionBudget{},
		{APIVersion: "monitoring.coreos.com/v1", Kind: "PodMonitor"}: &monitoring.PodMonitor{},
	}[head]
	if object == nil {
		return fmt.Errorf("%s %s: an unknown kind", head.APIVersion, head.Kind)
	}
	unknown, err := json.UnmarshalStrict(text, object)
	if err := errors.Join(append(unknown, err)...); err != nil {
		return fmt.Errorf("%s: %w", head.Kind, err)
	}
	if d, ok := object.(*apps.Deployment); ok {
		return secure(d.Spec.Template)
	}
	return nil
}

// secure applies all checks of the Pod Security Standard "restricted", in their latest version.
func secure(pod core.PodTemplateSpec) error {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return err
	}
	latest := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	result := policy.AggregateCheckResults(evaluator.EvaluatePod(latest, &pod.ObjectMeta, &pod.Spec))
	if !result.Allowed {
		return fmt.Errorf("the pod is refused by the standard %q: %s: %s", latest.Level, result.ForbiddenReason(),
			result.ForbiddenDetail())
	}
	return nil
}
