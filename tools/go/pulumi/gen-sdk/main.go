// Command gen-sdk writes the Node.js SDK of a Pulumi package from its schema:
//
//	gen-sdk SCHEMA OUTDIR
//
// The output depends on the schema alone, so that a checked-in SDK can be compared with a fresh
// one. OUTDIR is replaced as a whole.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/blang/semver"
	"github.com/pulumi/pulumi/pkg/v3/codegen/nodejs"
	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: gen-sdk SCHEMA OUTDIR")
		os.Exit(2)
	}
	if err := generate(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "gen-sdk:", err)
		os.Exit(1)
	}
}

func generate(schemaFile, outDir string) error {
	text, err := os.ReadFile(schemaFile)
	if err != nil {
		return err
	}
	var spec schema.PackageSpec
	if err := json.Unmarshal(text, &spec); err != nil {
		return fmt.Errorf("%s: %w", schemaFile, err)
	}
	pkg, diags, err := schema.BindSpec(spec, noPackages{}, schema.ValidationOptions{})
	if err != nil {
		return fmt.Errorf("%s: %w", schemaFile, err)
	}
	if diags.HasErrors() {
		return fmt.Errorf("%s: %w", schemaFile, diags)
	}
	files, err := nodejs.GeneratePackage("gen-sdk", pkg, nil, nil, false, noPackages{})
	if err != nil {
		return fmt.Errorf("%s: %w", schemaFile, err)
	}
	if err := os.RemoveAll(outDir); err != nil {
		return err
	}
	// It ignores the compiled output, which is checked in here.
	delete(files, ".gitignore")
	for name, contents := range files {
		path := filepath.Join(outDir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, contents, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// noPackages loads no other package: a schema here refers to none, and the usual loader would look
// for plugins in the project around the working directory.
type noPackages struct{}

var errNoPackages = errors.New("the schema refers to another package")

func (noPackages) LoadPackage(string, *semver.Version) (*schema.Package, error) {
	return nil, errNoPackages
}

func (noPackages) LoadPackageV2(
	context.Context, *schema.PackageDescriptor,
) (*schema.Package, error) {
	return nil, errNoPackages
}

func (noPackages) LoadPackageReference(
	string, *semver.Version,
) (schema.PackageReference, error) {
	return nil, errNoPackages
}

func (noPackages) LoadPackageReferenceV2(
	context.Context, *schema.PackageDescriptor,
) (schema.PackageReference, error) {
	return nil, errNoPackages
}
