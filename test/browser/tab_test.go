//go:build suites

// Package browser tests the exporter's pages in a real browser.
package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"test/internal/exporter"
	"test/internal/npm"
)

// patience bounds what a browser may take for one test.
const patience = 3 * time.Minute

func TestMain(m *testing.M) {
	code := m.Run()
	exporter.Clean()
	os.Exit(code)
}

// tab is a tab of a browser of its own, which notes what goes wrong.
type tab struct {
	*testing.T
	ctx context.Context

	mu sync.Mutex
	// complaints are errors of the console, among them violations of the content security policy.
	complaints []string
	// requests are the addresses that were asked for.
	requests []string
}

// newTab starts a headless browser that talks to nobody on its own.
func newTab(t *testing.T) *tab {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, // which root needs, as in a container
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
	)
	ctx, end := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	t.Cleanup(end)
	ctx, end = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(end)
	ctx, end = chromedp.NewContext(ctx)
	t.Cleanup(end)
	b := &tab{T: t, ctx: ctx}
	if err := chromedp.Listen(ctx, b.note); err != nil {
		t.Fatalf("start a browser (Debian: apt-get install chromium): %v", err)
	}
	return b
}

// note keeps what the browser says.
func (b *tab) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded:
		b.complaints = append(b.complaints, fmt.Sprintf("%s: %s: %s", e.Entry.Source, e.Entry.Level, e.Entry.Text))
	case *runtime.EventConsoleAPICalled:
		b.complaints = append(b.complaints, fmt.Sprintf("console.%s", e.Type))
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, e.ExceptionDetails.Text)
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	}
}

// do runs actions that must succeed.
func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.Fatal(err)
	}
}

// eval returns the value of an expression. The page's policy does not bind the developer's tools.
func eval[T any](b *tab, expression string) T {
	b.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.Fatalf("%.200s: %v", expression, err)
	}
	return value
}

// view is how a page is looked at.
type view struct {
	name          string
	width, height int64
	scheme        string
}

var views = []view{
	{"wide", 1360, 900, "light"},
	{"wide-dark", 1360, 900, "dark"},
	{"phone", 360, 740, "light"},
	{"phone-dark", 360, 740, "dark"},
}

func (b *tab) use(v view) {
	b.Helper()
	b.do(chromedp.EmulateViewport(v.width, v.height), chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: v.scheme}},
		})
		return err
	}))
}

// press presses keys that make the browser load another page.
func (b *tab) press(keys string) {
	b.Helper()
	if _, err := chromedp.Run(b.ctx, chromedp.WaitEvent(page.LoadEventFired, nil, chromedp.KeyEvent(keys))); err != nil {
		b.Fatal(err)
	}
	// The part of the page that the address names gets the focus when it is drawn, which is after it was loaded.
	eval[bool](b, `new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(() => drawn(true))))`)
}

// screenshot keeps the whole page, for people to look at.
func (b *tab) screenshot(name string) {
	b.Helper()
	const png = 100
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(png))
	if err != nil {
		b.Fatal(err)
	}
	if err := errors.Join(os.MkdirAll("out", 0o755), os.WriteFile(filepath.Join("out", name+".png"), picture, 0o644)); err != nil {
		b.Fatal(err)
	}
}

// quiet fails if the browser complained, or asked anybody but the exporter, since the last time.
func (b *tab) quiet(origin string) {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, complaint := range b.complaints {
		b.Errorf("the browser complains: %s", complaint)
	}
	for _, url := range b.requests {
		if !strings.HasPrefix(url, origin+"/") && !strings.HasPrefix(url, "data:") {
			b.Errorf("the page asks for %s", url)
		}
	}
	if len(b.requests) == 0 {
		b.Error("nothing was asked for")
	}
	b.complaints, b.requests = nil, nil
}

// fits fails if the page is wider than the window, which makes people scroll to and fro.
func (b *tab) fits() {
	b.Helper()
	type size struct{ Page, Window int }
	if s := eval[size](b, `({Page: document.documentElement.scrollWidth, Window: document.documentElement.clientWidth})`); s.Page > s.Window {
		b.Errorf("the page is %d wide, the window %d", s.Page, s.Window)
	}
	for _, element := range eval[[]string](b, `[...document.querySelectorAll('body *')]
		.filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === 'hidden' && !e.matches('caption'))
		.map(e => e.outerHTML.slice(0, 80))`) {
		b.Errorf("text is cut off in %s", element)
	}
}

// axe is the source of axe-core.
func axe() (string, error) {
	if err := npm.Installed(); err != nil {
		return "", err
	}
	source, err := os.ReadFile(filepath.Join(npm.Dir, "node_modules", "axe-core", "axe.min.js"))
	return string(source), err
}

// accessible fails for everything that axe-core finds wrong: names, labels, headings, landmarks, tables, and contrast,
// of which small text must have 4.5 and large text may not have less here.
func (b *tab) accessible() {
	b.Helper()
	source, err := axe()
	if err != nil {
		b.Fatal(err)
	}
	eval[bool](b, source+`;
		axe.configure({checks: [{id: 'color-contrast', options: {contrastRatio: {normal: {expected: 4.5}, large: {expected: 4.5}}}}]}); true`)
	type finding struct{ Rule, Element, Summary string }
	type result struct {
		Findings []finding
		Passes   []string
	}
	r := eval[result](b, `axe.run().then(r => ({
		Findings: [...r.violations, ...r.incomplete].flatMap(v => v.nodes.map(n => ({Rule: v.id, Element: n.html.slice(0, 120), Summary: n.failureSummary || ''}))),
		Passes: r.passes.map(p => p.id),
	}))`)
	for _, f := range r.Findings {
		b.Errorf("%s: %s: %s", f.Rule, f.Element, f.Summary)
	}
	// A judge that looked at nothing finds nothing.
	for _, rule := range []string{"color-contrast", "label", "heading-order", "landmark-one-main", "link-name", "document-title", "html-has-lang", "meta-viewport"} {
		if !strings.Contains(strings.Join(r.Passes, " ")+" ", rule+" ") {
			b.Errorf("axe-core did not check %s", rule)
		}
	}
}
