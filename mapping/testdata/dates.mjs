// Prints what JavaScript prints in the languages of HighLevel, with what is meant:
//   node dates.mjs >dates.tsv
const locales = ["en-US", "en-GB", "en-CA", "de", "fr", "fr-CA", "es", "es-MX", "pt-BR", "pt-PT", "it", "nl", "da", "sv", "nb", "nn", "fi", "pl", "hu"];
for (const locale of locales)
	for (let month = 0; month < 12; month++) {
		const at = new Date(Date.UTC(2026, month, 3 + 2 * month, 15, 4));
		const day = at.toISOString().slice(0, 10);
		const print = (options, want) => {
			const text = at.toLocaleString(locale, { timeZone: "UTC", ...options });
			if (/\p{L}{2}/u.test(text.replace(/[ap]\.? ?m\.?|klo/gi, ""))) // the month is spelled out
				console.log([locale, text, want].join("\t"));
		};
		print({ weekday: "short", year: "numeric", month: "short", day: "numeric", hour: "numeric", minute: "2-digit" }, day + "T15:04:00Z");
		print({ dateStyle: "full", timeStyle: "long", timeZone: "America/New_York" }, day + "T15:04:00Z");
	}
