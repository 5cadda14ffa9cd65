package change

import (
	"context"
	"errors"
	"reflect"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// unsafe are the builtins that a configuration may allow.
var unsafe = [...]string{"http.send", "net.lookup_ip_addr", "opa.runtime"}

// Load loads the policies that the configuration names. Problems are no error: they are kept. Policies that only call
// builtins which the configuration does not allow are loaded all the same, for the comparison, and the problems say
// so.
func (s *Side) Load(ctx context.Context) (err error) {
	s.Set, s.Policy, err = app.Load(ctx, s.Config)
	problems, ok := errors.AsType[bundle.Problems](err)
	if !ok {
		return err
	}
	s.Problems = problems
	cfg := *s.Config
	cfg.Engine.AllowBuiltins = unsafe[:]
	set, policy, err := app.Load(ctx, &cfg)
	if err != nil {
		return ctx.Err()
	}
	s.Set, s.Policy, s.Config = set, policy, &cfg
	return nil
}

// shown replaces the beginning of names of files that were laid out for the comparison.
func (s Side) shown(x any) {
	if s.Hidden != "" {
		rename(reflect.ValueOf(x), strings.NewReplacer(s.Hidden, s.Shown))
	}
}

// rename replaces in all texts that a value holds.
func rename(v reflect.Value, names *strings.Replacer) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			rename(v.Elem(), names)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			rename(v.Field(i), names)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		for i := range v.Len() {
			rename(v.Index(i), names)
		}
	case reflect.String:
		if v.CanSet() {
			v.SetString(names.Replace(v.String()))
		}
	default:
	}
}
