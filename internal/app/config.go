package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"milepost/clients/highlevel"
	"milepost/internal/automation"
	"milepost/internal/connection"
	"milepost/internal/inbox"
	"milepost/internal/metrics"
	"milepost/internal/secret"
	"milepost/internal/store"
	"milepost/internal/tracing"
)

// Config is everything that can be set, by environment or flag. A field tagged
// secret can also be read from the file that NAME_FILE names.
type Config struct {
	Listen         string   `default:":8080" env:"MILEPOST_LISTEN" help:"Public listener: webhooks, OAuth, calendars and health."`
	AdminListen    string   `default:"127.0.0.1:8081" env:"MILEPOST_ADMIN_LISTEN" help:"Admin listener: console, admin API and health. Never open it to the internet."`
	AdminURL       string   `name:"admin-url" env:"MILEPOST_ADMIN_URL" help:"Address at which people reach the admin listener by a host name, e.g. https://milepost.internal.example.com. Not needed for localhost or an IP address."`
	AdminToken     string   `env:"MILEPOST_ADMIN_TOKEN" secret:"" help:"Bearer token of the admin API; it signs in to the console too."`
	MCP            bool     `name:"mcp" env:"MILEPOST_MCP" help:"Serve the MCP endpoint for assistants on the admin listener."`
	PublicURL      string   `name:"public-url" env:"MILEPOST_PUBLIC_URL" help:"Address at which the vendors reach the public listener, e.g. https://milepost.example.com."`
	DataDir        string   `default:"./data" env:"MILEPOST_DATA_DIR" help:"Folder of the SQLite files and of the generated encryption key."`
	DatabaseURL    string   `name:"database-url" env:"DATABASE_URL" secret:"" help:"Use PostgreSQL instead of SQLite: postgres://user:password@host/database."`
	TrustedProxies []string `env:"MILEPOST_TRUSTED_PROXIES" help:"Networks whose X-Forwarded-For Milepost believes, e.g. 10.0.0.0/8."`
	MaxConnections Count    `default:"1024" env:"MILEPOST_MAX_CONNECTIONS" help:"Most connections to the public listener at once. Beyond that, Milepost closes those that keep it waiting."`
	EncryptionKeys string   `env:"MILEPOST_ENCRYPTION_KEYS" secret:"" help:"Keys for stored tokens, id:base64; the first one encrypts. By default, Milepost generates one in the data directory."`

	InsecureHTTP bool `name:"insecure-http" env:"MILEPOST_INSECURE_HTTP" help:"Allow base URLs with http:// on other machines. Tokens then travel unencrypted."`

	HighLevelBaseURL      string   `name:"highlevel-base-url" default:"https://services.leadconnectorhq.com" env:"MILEPOST_HIGHLEVEL_BASE_URL" help:"HighLevel's API."`
	HighLevelAppID        string   `name:"highlevel-app-id" env:"MILEPOST_HIGHLEVEL_APP_ID" help:"Id of the Marketplace app. Milepost ignores events of other apps."`
	HighLevelClientID     string   `name:"highlevel-client-id" env:"MILEPOST_HIGHLEVEL_CLIENT_ID" help:"OAuth client id of the Marketplace app; its part before the dash is the app id."`
	HighLevelClientSecret string   `name:"highlevel-client-secret" env:"MILEPOST_HIGHLEVEL_CLIENT_SECRET" secret:"" help:"OAuth client secret of the Marketplace app."`
	HighLevelScopes       []string `name:"highlevel-scopes" env:"MILEPOST_HIGHLEVEL_SCOPES" sep:" " help:"Scopes that an installation asks for, separated by spaces; by default, those that Milepost needs."`
	HighLevelAuthorizeURL string   `name:"highlevel-authorize-url" default:"https://marketplace.gohighlevel.com/v2/oauth/chooselocation" env:"MILEPOST_HIGHLEVEL_AUTHORIZE_URL" help:"HighLevel's page for choosing a location. A white-label agency has its own host."`
	HighLevelToken        string   `name:"highlevel-token" env:"MILEPOST_HIGHLEVEL_TOKEN" secret:"" help:"Private Integration Token of the location. While you rotate it, give both, separated by a comma, the new one first."`
	HighLevelLocationID   string   `name:"highlevel-location-id" env:"MILEPOST_HIGHLEVEL_LOCATION_ID" help:"Id of the location that the token belongs to."`
	HighLevelWebhookKeys  string   `name:"highlevel-webhook-keys" env:"MILEPOST_HIGHLEVEL_WEBHOOK_KEYS" secret:"" help:"PEM public keys that may sign webhooks; HighLevel's published key by default."`

	CalendarHeroBaseURL string `name:"calendarhero-base-url" default:"https://api.calendarhero.com" env:"MILEPOST_CALENDARHERO_BASE_URL" help:"CalendarHero's API."`
	CalendarHeroToken   string `name:"calendarhero-token" env:"MILEPOST_CALENDARHERO_TOKEN" secret:"" help:"CalendarHero account token."`
	CalendarHeroAuth    string `name:"calendarhero-auth" default:"raw" enum:"raw,bearer" env:"MILEPOST_CALENDARHERO_AUTH" help:"How the CalendarHero token is sent: ${enum}."`

	Automations      string        `env:"MILEPOST_AUTOMATIONS" type:"path" help:"YAML file of automations, which is then their only source; by default they are in the database, and at first the recipes."`
	ReconcileEvery   time.Duration `default:"15m" env:"MILEPOST_RECONCILE_EVERY" help:"How often Milepost reconciles each location, to find changes without a webhook, such as edited tasks; 0 = never."`
	DescriptionAfter Wait          `default:"5m" env:"MILEPOST_DESCRIPTION_AFTER" help:"How long a record must be quiet before a new description alone (notes, tags, text) replaces its meeting request, which mails the owner: up to 24h, 0 = at once, or never."`
	BackupAge        time.Duration `name:"backup-age" env:"MILEPOST_BACKUP_AGE" help:"Age from which the last backup needs attention. By default 48h once there was one; if this is set, also if there never was one. SQLite only."`
	LogLevel         string        `default:"info" enum:"debug,info,warn,error" env:"MILEPOST_LOG_LEVEL" help:"Lowest level to log: ${enum}."`
	LogFormat        string        `default:"auto" enum:"auto,json,text" env:"MILEPOST_LOG_FORMAT" help:"${enum}; auto is text on a terminal."`

	AlertWebhook         string `name:"alert-webhook" env:"MILEPOST_ALERT_WEBHOOK" secret:"" help:"Address that gets alerts as webhooks, signed after Standard Webhooks."`
	AlertWebhookSecret   string `name:"alert-webhook-secret" env:"MILEPOST_ALERT_WEBHOOK_SECRET" secret:"" help:"Secret that signs them, whsec_…, from 'milepost alerts secret'. While you rotate it, give both, separated by a comma, the new one first."`
	AlertPrivateNetworks bool   `name:"alert-private-networks" env:"MILEPOST_ALERT_PRIVATE_NETWORKS" help:"Allow an address in a private network or on this machine for alert webhooks."`
	AlertEmail           string `name:"alert-email" env:"MILEPOST_ALERT_EMAIL" help:"E-mail addresses that get alerts, separated by commas."`
	AlertEmailFrom       string `name:"alert-email-from" env:"MILEPOST_ALERT_EMAIL_FROM" help:"Sender of these e-mails; by default the first receiver."`
	SMTPURL              string `name:"smtp-url" env:"MILEPOST_SMTP_URL" secret:"" help:"Mail server for alerts: smtps://user:password@mail.example.com, or smtp://mail.example.com:587 for STARTTLS."`

	LockDir string `name:"lock-dir" env:"MILEPOST_LOCK_DIR" type:"path" help:"Folder for lock files, by which the Mileposts of this machine notice each other; by default in the user's cache folder."`

	// VendorsHere says that both vendors are fakes on this machine, which reach the
	// public listener at its own address.
	VendorsHere bool `kong:"-"`

	SandboxPage string `kong:"-"` // the page of the fakes, which the console links to; "" = this is no sandbox

	TakeOver bool `kong:"-"` // takes the accounts that another Milepost works, which `milepost serve --take-over` asks for

	// EmptyState answers for a test what a person answers with `milepost recover`.
	EmptyState inbox.EmptyState `kong:"-"`

	Clock Clock         `kong:"-"` // real time, unless a test sets it
	Poll  time.Duration `kong:"-"` // how often the workers look for jobs that are due: each second, unless a test sets it
	HTTP  *http.Client  `kong:"-"` // calls both vendors; their clients' own, unless a test sets it

	metrics *metrics.Metrics // of this process; nil measures nothing
	tracer  *tracing.Tracer  // of this process; nil = traces are off
}

// testOnly are read by the project's tests and by no command.
var testOnly = []string{"MILEPOST_TEST_", "MILEPOST_REQUIRE_"}

// SecretFiles is a kong resolver that reads a setting tagged secret from the
// file named by its environment variable with _FILE appended.
func SecretFiles(lookup func(string) (string, bool)) kong.Resolver {
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		if !flag.Tag.Has("secret") {
			return nil, nil
		}
		for _, name := range flag.Envs {
			path, ok := lookup(name + "_FILE")
			if !ok || path == "" {
				continue
			}
			if v, ok := lookup(name); ok && v != "" {
				return nil, fmt.Errorf("both %s and %s_FILE are set; set one", name, name)
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return nil, fmt.Errorf("%s_FILE: %w", name, err)
			}
			return strings.TrimSpace(string(b)), nil
		}
		return nil, nil
	})
}

// DropEmpty removes settings with an empty value from the environment: env files and
// docker compose write a variable that is not set in this way.
func DropEmpty(environ []string) error {
	var failed error
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if value == "" && (strings.HasPrefix(name, "MILEPOST_") || name == "DATABASE_URL") {
			failed = errors.Join(failed, os.Unsetenv(name))
		}
	}
	return failed
}

// CheckEnvironment refuses variables that begin with MILEPOST_ and mean
// nothing, with the nearest name that does, and values in quotes.
func CheckEnvironment(model *kong.Application, environ []string) error {
	var known []string
	_ = kong.Visit(model, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			for _, name := range flag.Envs {
				known = append(known, name)
				if flag.Tag.Has("secret") {
					known = append(known, name+"_FILE")
				}
			}
		}
		return next(nil)
	})
	var problems []error
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		switch {
		case slices.Contains(known, name) && isQuoted(value):
			problems = append(problems, fmt.Errorf("the value of %s is in quotes, which some readers of env files (docker run --env-file) do not take away: write it without", name))
		case !strings.HasPrefix(name, "MILEPOST_"), slices.Contains(known, name),
			slices.ContainsFunc(testOnly, func(p string) bool { return strings.HasPrefix(name, p) }):
		default:
			nearest := slices.MinFunc(known, func(a, b string) int { return cmp.Compare(unlike(name, a), unlike(name, b)) })
			if unlike(name, nearest) > 4*(len(name)-len("MILEPOST_"))/3 { // more than a third of its letters
				problems = append(problems, fmt.Errorf("unknown environment variable %s; docs/configuration.md lists them", name))
				continue
			}
			problems = append(problems, fmt.Errorf("unknown environment variable %s; did you mean %s?", name, nearest))
		}
	}
	return errors.Join(problems...)
}

// isQuoted reports whether a value begins and ends with the same quote.
func isQuoted(value string) bool {
	n := len(value)
	return n > 1 && value[0] == value[n-1] && (value[0] == '"' || value[0] == '\'')
}

// unlike tells how far a name is from a known one: by letters, or word for
// word, where a word that is left out counts little.
func unlike(name, known string) int {
	const edit = 4 // a letter, in words left out
	words := strings.Split(known, "_")
	byWord := 0
	given := strings.Split(name, "_")
	for _, word := range given {
		least := len(word)
		for _, w := range words {
			least = min(least, distance(word, w))
		}
		byWord += edit * least
	}
	return min(edit*distance(name, known), byWord+max(0, len(words)-len(given)))
}

// distance is the number of edits between two names (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

// settings are the parts of a Config that have to be parsed.
type settings struct {
	keys    highlevel.Keys
	proxies []netip.Prefix
	file    *automation.File // nil = the automations are in the database
	ring    *secret.Ring     // nil = the one in the data directory
}

// parse checks the whole configuration and names everything that is wrong.
func (c *Config) parse() (s settings, err error) {
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }

	s.keys = highlevel.PublishedKeys()
	if c.HighLevelWebhookKeys != "" {
		if s.keys, err = highlevel.ParseKeys(c.HighLevelWebhookKeys); err != nil {
			problem("MILEPOST_HIGHLEVEL_WEBHOOK_KEYS: %w", err)
		}
	}
	for _, network := range c.TrustedProxies {
		prefix, err := parseNetwork(network)
		if err != nil {
			problem("MILEPOST_TRUSTED_PROXIES: %q is not a network such as 10.0.0.0/8", network)
			continue
		}
		s.proxies = append(s.proxies, prefix)
	}
	problems = append(problems, c.checkPlaces())
	for _, u := range []baseURL{
		{"MILEPOST_HIGHLEVEL_BASE_URL", c.HighLevelBaseURL, true},
		{"MILEPOST_CALENDARHERO_BASE_URL", c.CalendarHeroBaseURL, true},
		{"MILEPOST_HIGHLEVEL_AUTHORIZE_URL", c.HighLevelAuthorizeURL, true},
		{"MILEPOST_PUBLIC_URL", c.PublicURL, false},
		{"MILEPOST_ADMIN_URL", c.AdminURL, false},
	} {
		if err := u.check(c.InsecureHTTP); err != nil {
			problems = append(problems, err)
		}
	}
	problems = append(problems, c.checkTokens()...)
	if c.EncryptionKeys != "" {
		if s.ring, err = secret.ParseRing(c.EncryptionKeys); err != nil {
			problem("MILEPOST_ENCRYPTION_KEYS: %w", err)
		}
	}
	problems = append(problems, c.checkAlerts())
	if c.Automations != "" {
		source, err := os.ReadFile(c.Automations)
		if err == nil {
			s.file, err = automation.ReadUsed(c.Automations, source)
		}
		if err != nil {
			problem("%w: %w", ErrAutomations, err)
		}
	}
	return s, errors.Join(problems...)
}

// checkTokens checks the tokens and what belongs to them.
func (c *Config) checkTokens() (problems []error) {
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	c.HighLevelLocationID = strings.TrimSpace(c.HighLevelLocationID)
	for name, token := range map[string]string{"MILEPOST_HIGHLEVEL_TOKEN": c.HighLevelToken, "MILEPOST_CALENDARHERO_TOKEN": c.CalendarHeroToken} {
		if word, _, _ := strings.Cut(strings.TrimSpace(token), " "); strings.EqualFold(word, "bearer") {
			problem("%s is the token alone: write it without Bearer", name)
		}
	}
	switch {
	case (c.HighLevelToken == "") != (c.HighLevelLocationID == ""):
		problem("MILEPOST_HIGHLEVEL_TOKEN and MILEPOST_HIGHLEVEL_LOCATION_ID belong together: set both or none")
	case c.HighLevelToken != "" && c.CalendarHeroToken == "":
		problem("MILEPOST_CALENDARHERO_TOKEN is missing: a connection needs it as well as MILEPOST_HIGHLEVEL_TOKEN and MILEPOST_HIGHLEVEL_LOCATION_ID")
	}
	if (c.HighLevelClientID == "") != (c.HighLevelClientSecret == "") && c.HighLevelClientSecret != "" {
		problem("MILEPOST_HIGHLEVEL_CLIENT_SECRET is set, but MILEPOST_HIGHLEVEL_CLIENT_ID is not: OAuth needs both")
	}
	return problems
}

// checkPlaces checks where Milepost listens, where its database is, and how often it looks.
func (c *Config) checkPlaces() (wrong error) {
	if c.ReconcileEvery < 0 {
		wrong = errors.New("MILEPOST_RECONCILE_EVERY must not be negative; 0 = never")
	}
	for _, l := range [][2]string{{"MILEPOST_LISTEN", c.Listen}, {"MILEPOST_ADMIN_LISTEN", c.AdminListen}} {
		if l[1] != "" && !isListenAddress(l[1]) {
			wrong = errors.Join(wrong, fmt.Errorf("%s: %q is not an address such as :8080 or 127.0.0.1:8080", l[0], l[1]))
		}
	}
	if info, err := os.Stat(c.DataDir); err == nil && !info.IsDir() && (c.DatabaseURL == "" || c.EncryptionKeys == "") {
		wrong = errors.Join(wrong, fmt.Errorf("MILEPOST_DATA_DIR: %s is no folder", c.DataDir))
	}
	if c.DatabaseURL != "" {
		wrong = errors.Join(wrong, store.CheckPostgresURL(c.DatabaseURL))
	}
	return wrong
}

// isListenAddress reports whether s is an address to listen at. The host is checked when
// Milepost listens there.
func isListenAddress(s string) bool {
	_, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = net.DefaultResolver.LookupPort(context.Background(), "tcp", port)
	}
	return err == nil && port != ""
}

// parseNetwork reads a network or a single address.
func parseNetwork(s string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(s)
	if addr, addrErr := netip.ParseAddr(s); err != nil && addrErr == nil {
		return addr.Prefix(addr.BitLen())
	}
	return prefix, err
}

// baseURL is a setting that is a URL.
type baseURL struct {
	name, value string
	calls       bool // Milepost, or a person's browser, sends secrets there
}

func (u baseURL) check(insecure bool) error {
	parsed, err := url.Parse(u.value)
	switch {
	case u.value == "":
	case err != nil, parsed.Host == "", parsed.Scheme != "http" && parsed.Scheme != "https":
		return fmt.Errorf("%s is not a URL such as https://example.com", u.name)
	case u.name != "MILEPOST_HIGHLEVEL_AUTHORIZE_URL" && (parsed.User != nil || parsed.RawQuery != "" || parsed.Fragment != ""):
		return fmt.Errorf("%s must look like https://example.com or https://example.com/path", u.name)
	case u.name == "MILEPOST_PUBLIC_URL" && connection.OwnPath(parsed.Path) != "":
		return fmt.Errorf("%s: leave %s out, Milepost adds it", u.name, connection.OwnPath(parsed.Path))
	case parsed.Scheme == "http" && u.calls && !insecure && !isLoopback(parsed.Hostname()):
		return fmt.Errorf("%s would send tokens to %s unencrypted: use https, or set MILEPOST_INSECURE_HTTP=true if you trust the network between", u.name, parsed.Host)
	}
	return nil
}

// isLoopback reports whether a host is this machine.
func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && addr.IsLoopback()
}

// ErrAutomations means that the automations cannot be used: the file is missing or
// has mistakes. The command line and the other settings may be right.
var ErrAutomations = errors.New("automations")

// AutomationFile loads the file of MILEPOST_AUTOMATIONS; nil if it is not set.
func (c *Config) AutomationFile() (*automation.File, error) {
	s, err := c.parse()
	return s.file, err
}

// Validate names everything that is wrong with the configuration.
func (c *Config) Validate() error {
	_, err := c.parse()
	return err
}
