package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	modulepath "golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/zip"
)

// writeArtifacts writes the released modules to a folder, as a module proxy serves them, with a
// bill of materials for each in the format of CycloneDX, and SHA256SUMS of all files. The folder
// can be used as GOPROXY=file://FOLDER.
func (r *release) writeArtifacts(ctx context.Context, folder string) error {
	modules, err := r.modules(ctx)
	if err != nil {
		return err
	}
	for i := range modules {
		if m := &modules[i]; m.released() {
			if err := cmp.Or(r.pack(m, folder), r.writeBill(ctx, m, folder)); err != nil {
				return fmt.Errorf("%s: %w", m.path(), err)
			}
		}
	}
	return writeSums(folder)
}

// pack writes the files of the proxy protocol for a module. The zip has what is committed, and the
// license of the repository, as one that the go command makes from a tag.
func (r *release) pack(m *module, folder string) error {
	versions := filepath.Join(folder, m.path(), "@v")
	if err := os.MkdirAll(versions, 0o700); err != nil {
		return err
	}
	info, err := json.Marshal(map[string]any{"Version": r.version, "Time": time.Now().UTC()})
	if err != nil {
		return err
	}
	mod, err := m.file.Format()
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	v := modulepath.Version{Path: m.path(), Version: r.version}
	if err := zip.CreateFromVCS(&packed, v, r.root, "HEAD", m.folder); err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"list": []byte(r.version + "\n"), r.version + ".info": info, r.version + ".mod": mod,
		r.version + ".zip": packed.Bytes(),
	} {
		if err := os.WriteFile(filepath.Join(versions, name), content, 0o600); err != nil {
			return err
		}
	}
	hash, err := dirhash.HashZip(filepath.Join(versions, r.version+".zip"), dirhash.Hash1)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(versions, r.version+".ziphash"), []byte(hash), 0o600)
}

// writeBill writes the bill of materials of a module.
func (r *release) writeBill(ctx context.Context, m *module, folder string) error {
	name := filepath.Join(folder, strings.ReplaceAll(m.folder, "/", "-")+"-"+r.version+".cdx.json")
	cmd := exec.CommandContext(ctx, "go", "run", billTool, //nolint:gosec // The arguments are our own.
		"mod", "-json", "-licenses", "-output", name, filepath.Join(r.root, m.folder))
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("bill of materials: %w\n%s", err, out)
	}
	return nil
}

// billTool writes bills of materials.
const billTool = "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0"

// writeSums writes the checksums of all files, in the format of sha256sum.
func writeSums(folder string) error {
	var sums strings.Builder
	err := filepath.WalkDir(folder, func(name string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(name) //nolint:gosec // It is a file that was just written.
		if err != nil {
			return err
		}
		below, err := filepath.Rel(folder, name)
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(content), below)
		return err
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "SHA256SUMS"), []byte(sums.String()), 0o600)
}
