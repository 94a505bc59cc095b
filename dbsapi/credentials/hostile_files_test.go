package credentials_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"aliyun_dbs_exporter/dbsapi/credentials"
)

// fromFiles is what the default chain says with a file below an empty home.
func fromFiles(t *testing.T, name, text string) (credentials.Credentials, string) {
	t.Helper()
	put(t, chainHome(t), name, text)
	cred, err := newClient().Default().Get(t.Context())
	if err != nil {
		return cred, err.Error()
	}
	return cred, ""
}

// Two members with one name in any case leave open which of them counts, so the
// file is refused, and the command of a profile is not run.
func TestProfileWithTwoModes(t *testing.T) {
	ran := filepath.Join(t.TempDir(), "ran")
	command := `"process_command":"touch ` + ran + `"`
	for name, members := range map[string]string{
		"another case": `"mode":"AK","MODE":"External",` + command,
		"the same":     `"mode":"AK","mode":"External",` + command,
		"two keys":     `"mode":"AK","Access_Key_ID":"other"`,
	} {
		_, err := fromFiles(t, ".aliyun/config.json",
			`{"current":"a","profiles":[{"name":"a","access_key_id":"x","access_key_secret":"y",`+members+`}]}`)
		if !strings.Contains(err, "CLI profile: the file is not readable") {
			t.Errorf("%s: %q", name, err)
		}
	}
	_, err := fromFiles(t, ".aliyun/config.json", `{"current":"a","profiles":[{"name":"a","MODE":"External",`+command+`}]}`)
	if !strings.Contains(err, "runs commands") {
		t.Errorf("one mode in another case: %q", err)
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("the command of a profile was run")
	}
}

// A profile that is null is passed over.
func TestNullProfile(t *testing.T) {
	cred, err := fromFiles(t, ".aliyun/config.json", `{"current":"a","profiles":[null,{"name":"a","mode":"AK","access_key_id":"x","access_key_secret":"y"}]}`)
	if cred.AccessKeyID() != "x" || err != "" {
		t.Errorf("got %q, %s", cred.AccessKeyID(), err)
	}
}

// References between the values of a credentials file are not followed: 24
// lines that each hold the next twice stand for 16 million copies of the last.
func TestReferencesInCredentialsFile(t *testing.T) {
	var file strings.Builder
	file.WriteString("[default]\ntype = access_key\naccess_key_id = %(a0)s\naccess_key_secret = y\n")
	for i := range 24 {
		fmt.Fprintf(&file, "a%d = %%(a%d)s%%(a%d)s\n", i, i+1, i+1)
	}
	file.WriteString("a24 = xxxx\n")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cred, err := fromFiles(t, ".alibabacloud/credentials", file.String())
	runtime.ReadMemStats(&after)
	if cred.AccessKeyID() != "%(a0)s" {
		t.Errorf("a key of %d bytes, %s", len(cred.AccessKeyID()), err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
		t.Errorf("%d MiB were allocated", used>>20)
	}
}

// swapper lets a path be a regular file and a pipe in turn, until it is
// stopped.
func swapper(t *testing.T, path, text string) (stop func()) {
	t.Helper()
	folder := t.TempDir()
	put(t, folder, "file", text)
	if err := syscall.Mkfifo(filepath.Join(folder, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	turn := func(target string) {
		_ = os.Symlink(filepath.Join(folder, target), path+".next")
		if err := os.Rename(path+".next", path); err != nil {
			t.Error(err)
		}
	}
	turn("file")
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-done:
				return
			default:
				turn("pipe")
				turn("file")
			}
		}
	}()
	return func() { close(done); <-stopped }
}

// A file that a pipe without a writer takes the place of holds nobody: after
// the check there is no other read that waits for the pipe.
func TestProfileBecomesPipe(t *testing.T) {
	for name, text := range map[string]string{
		".aliyun/config.json":       cli(cliKey("a")),
		".alibabacloud/credentials": "[default]\ntype = access_key\naccess_key_id = cli-key\naccess_key_secret = x\n",
	} {
		home := chainHome(t)
		put(t, home, name, "")
		stop := swapper(t, filepath.Join(home, name), text)
		read := 0
		for range 3000 {
			cred, err := newClient().Default().Get(t.Context())
			if err == nil && cred.AccessKeyID() == "cli-key" {
				read++
			}
		}
		stop()
		if read == 0 {
			t.Errorf("%s was never read", name)
		}
	}
}

// A pipe that takes the place of a file between the check and the opening is
// not read: without a writer, it would pass for an empty file.
func TestFileBecomesPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	stop := swapper(t, path, "secret")
	defer stop()
	read := 0
	for range 20_000 {
		value, err := credentials.File(path).Read()
		switch {
		case err == nil && value == "secret":
			read++
		case err == nil || !strings.HasSuffix(err.Error(), ": it is not a regular file") && !strings.HasSuffix(err.Error(), ": the files change faster than they can be read"):
			t.Fatalf("after %d good reads: %q, %v", read, value, err)
		}
	}
	if read == 0 {
		t.Error("it was never read")
	}
}

// Files of profiles are read at every renewal, so their size is bounded: the
// bytes, and whatever takes more memory or time than its bytes.
func TestLargeProfiles(t *testing.T) {
	const largeCLI = "CLI profile: the file is larger than 512 KiB or 1,000 profiles)"
	const largeIni = "credentials file: the file is larger than 64 KiB or 1,000 lines)"
	const unreadable = "CLI profile: the file is not readable)"
	const cliFile, iniFile = ".aliyun/config.json", ".alibabacloud/credentials"
	const iniKey = "[default]\ntype = access_key\naccess_key_id = ini-key\naccess_key_secret = x\n"
	iniLines := func(n int, format string) string {
		var b strings.Builder
		b.WriteString(iniKey)
		for i := range n - strings.Count(iniKey, "\n") {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	cliPadded := func(n int) string {
		text := cli(cliKey("a"))
		return text + strings.Repeat(" ", n-len(text))
	}
	const cliBytes = 512 << 10
	members := func(n int) string {
		var b strings.Builder
		for i := 0; b.Len() < n-20; i++ {
			fmt.Fprintf(&b, `"%x":0,`, i)
		}
		return b.String()
	}
	cliFull := func(other string, n int) string {
		return `{"current":"a","profiles":[` + strings.Repeat(other+",", n-1) +
			`{"name":"a","mode":"AK","access_key_id":"cli-key","access_key_secret":"x"}]}`
	}
	for name, tt := range map[string]struct{ file, text, want string }{
		"CLI file of 512 KiB":         {cliFile, cliPadded(cliBytes), "cli-key"},
		"CLI file and a byte":         {cliFile, cliPadded(cliBytes + 1), largeCLI},
		"CLI file of 1 MiB":           {cliFile, cliPadded(1 << 20), largeCLI},
		"1,000 CLI profiles":          {cliFile, cliFull("{}", 1000), "cli-key"},
		"1,001 CLI profiles":          {cliFile, cliFull("{}", 1001), largeCLI},
		"12,000 null CLI profiles":    {cliFile, cliFull("null", 12_000), largeCLI},
		"170,000 empty CLI profiles":  {cliFile, cliFull("{}", 170_000), largeCLI},
		"150 profiles of CloudSSO":    {cliFile, cliFull(`{"access_token":"`+strings.Repeat("x", 1500)+`","sts_token":"`+strings.Repeat("x", 1500)+`"}`, 150), "cli-key"},
		"other members":               {cliFile, `{` + members(cliBytes-100) + cliFull("{}", 1)[1:], "cli-key"},
		"other members of a profile":  {cliFile, cliFull(`{`+members(cliBytes-200)+`"mode":""}`, 2), "cli-key"},
		"other list":                  {cliFile, `{"other":[` + strings.Repeat("{},", 170_000) + `0],` + cliFull("{}", 1)[1:], "cli-key"},
		"deep list":                   {cliFile, `{"other":` + strings.Repeat("[", 200_000), unreadable},
		"list of lists":               {cliFile, `{"profiles":` + strings.Repeat("[", 200_000), unreadable},
		"profiles in an object":       {cliFile, `{"profiles":{"a":{}}}`, unreadable},
		"numbers as profiles":         {cliFile, `{"profiles":[` + strings.Repeat("0,", 200_000) + `0]}`, unreadable},
		"profiles without an end":     {cliFile, `{"profiles":[{},`, unreadable},
		"ini file of 1 MiB":           {iniFile, iniKey + "x = " + strings.Repeat("x", 1<<20), largeIni},
		"1,000 lines":                 {iniFile, iniLines(1000, "k%d = x\n"), "ini-key"},
		"1,000 sections":              {iniFile, iniLines(1000, "[s%d]\n"), "ini-key"},
		"1,001 lines":                 {iniFile, iniLines(1001, "k%d = x\n"), largeIni},
		"8,000 lines, with CR and LF": {iniFile, iniLines(8000, "%d=\r\n"), largeIni},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			cred, err := fromFiles(t, tt.file, tt.text)
			runtime.ReadMemStats(&after)
			if got := cred.AccessKeyID() + err; !strings.HasSuffix(got, tt.want) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
				t.Errorf("%d MiB were allocated", used>>20)
			}
		})
	}
}
