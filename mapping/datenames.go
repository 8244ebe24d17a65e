package mapping

import (
	"maps"
	"regexp"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// The names of months and days in the languages of HighLevel: English, German,
// French, Spanish, Portuguese, Italian, Dutch, Danish, Swedish, Norwegian,
// Finnish, Polish and Hungarian; long and short, as Unicode's CLDR has them.

var monthNames = [...]string{
	time.January:   "january jan januar jänner jän janvier janv enero ene janeiro gennaio gen januari tammikuu tammikuuta tammi tammik styczeń stycznia sty január",
	time.February:  "february feb februar februari février févr febrero fevereiro fev febbraio helmikuu helmikuuta helmi helmik luty lutego lut február febr",
	time.March:     "march mar märz mär mrz mars marzo março maerz maart mrt marts maaliskuu maaliskuuta maalis maalisk marzec marca március márc",
	time.April:     "april apr avril avr abril abr aprile huhtikuu huhtikuuta huhti huhtik kwiecień kwietnia kwi április ápr",
	time.May:       "may mai mayo maio maggio mag mei maj maja toukokuu toukokuuta touko toukok május máj",
	time.June:      "june jun juni juin junio junho giugno giu kesäkuu kesäkuuta kesä kesäk czerwiec czerwca cze június jún",
	time.July:      "july jul juli juillet juil juill julio julho luglio lug heinäkuu heinäkuuta heinä heinäk lipiec lipca lip július júl",
	time.August:    "august aug août agosto ago augustus augusti elokuu elokuuta elo elok sierpień sierpnia sie augusztus",
	time.September: "september sep sept septembre septiembre setiembre setembro set settembre syyskuu syyskuuta syys syysk wrzesień września wrz szeptember szept",
	time.October:   "october oct oktober okt octobre octubre outubro out ottobre ott lokakuu lokakuuta loka lokak październik października paź október",
	time.November:  "november nov novembre noviembre novembro marraskuu marraskuuta marras marrask listopad listopada lis",
	time.December:  "december dec dezember dez décembre déc diciembre dic dezembro dicembre desember des joulukuu joulukuuta joulu jouluk grudzień grudnia gru",
}

var weekdayNames = [...]string{
	time.Sunday:    "sunday sun sonntag so dimanche dim domingo dom domenica zondag zo søndag søn söndag sön sunnuntai sunnuntaina su niedziela niedz vasárnap v",
	time.Monday:    "monday mon montag mo lundi lun lunes segunda-feira segunda seg lunedì maandag ma mandag man måndag mån må maanantai maanantaina poniedziałek pon hétfő h",
	time.Tuesday:   "tuesday tues tue dienstag di mardi mar martes terça-feira terça ter martedì dinsdag tirsdag tirs tir tisdag tis tysdag tys ty tiistai tiistaina ti wtorek wto wt kedd k",
	time.Wednesday: "wednesday wed mittwoch mi mercredi mer miércoles mié quarta-feira quarta qua mercoledì woensdag wo onsdag ons on keskiviikko keskiviikkona ke środa śro śr szerda sze",
	time.Thursday:  "thursday thurs thur thu donnerstag do jeudi jeu jueves jue quinta-feira quinta qui giovedì gio donderdag torsdag tors tor torstai torstaina to czwartek czw cz csütörtök cs",
	time.Friday:    "friday fri freitag fr vendredi ven viernes vie sexta-feira sexta sex venerdì vrijdag vr fredag fre perjantai perjantaina pe piątek pią pt péntek p",
	time.Saturday:  "saturday sat samstag sonnabend sa samedi sam sábado sáb sabato sab zaterdag za lørdag lør lø lördag lör lö laurdag lau lauantai lauantaina la sobota sob szombat szo",
}

// These words around a date or a time have no further meaning.
const dateFillers = "t of at the um uhr am le à min a las del de el às alle ore om den d kl klo r o godz godzinie"

// utcForm matches the name of UTC in words, as the long forms of JavaScript and Java have it.
var utcForm = regexp.MustCompile(`^\(?(?i:coordinated universal time|greenwich mean time|koordinierte weltzeit|temps universel coordonné|` +
	`tiempo universal coordinado|horário universal coordenado|tempo coordinato universale|gecoördineerde wereldtijd|koordineret universaltid|` +
	`koordinerad universell tid|koordinert universaltid|utc-yleisaika|uniwersalny czas koordynowany|koordinált világidő)\)?`)

// zoneNames are names of time zones that mean the same offset everywhere, which excludes
// CST, IST and others.
var zoneNames = map[time.Duration]string{
	0:               "z utc gmt ut wet",
	1 * time.Hour:   "cet mez west",
	2 * time.Hour:   "cest mesz eet oez sast",
	3 * time.Hour:   "eest oesz",
	9 * time.Hour:   "jst",
	10 * time.Hour:  "aest",
	11 * time.Hour:  "aedt",
	12 * time.Hour:  "nzst",
	13 * time.Hour:  "nzdt",
	-3 * time.Hour:  "haa", // and so on, in the French of Canada
	-4 * time.Hour:  "edt hae hna",
	-5 * time.Hour:  "est cdt hac hne",
	-6 * time.Hour:  "mdt har hnc",
	-7 * time.Hour:  "mst pdt hap hnr",
	-8 * time.Hour:  "pst hnp akdt",
	-9 * time.Hour:  "akst",
	-10 * time.Hour: "hst",
}

// dateWord is what a word of a date can mean.
type dateWord struct {
	month   time.Month // 0 = it names no month
	weekday *time.Weekday
	offset  *time.Duration // offset of the zone that it names
	filler  bool
}

// dateWords has all of these names in lower case. "mar" means both March and Tuesday
// (mardi, martes, martedì).
var dateWords = func() map[string]dateWord {
	words := map[string]dateWord{}
	add := func(names string, means func(*dateWord)) {
		for name := range strings.FieldsSeq(names) {
			word := words[name]
			means(&word)
			words[name] = word
		}
	}
	for month, names := range monthNames {
		add(names, func(w *dateWord) { w.month = time.Month(month) })
	}
	for day, names := range weekdayNames {
		add(names, func(w *dateWord) { weekday := time.Weekday(day); w.weekday = &weekday })
	}
	for offset, names := range zoneNames {
		add(names, func(w *dateWord) { w.offset = &offset })
	}
	add(dateFillers, func(w *dateWord) { w.filler = true })
	for name, means := range maps.Clone(words) { // people leave accents out
		if plain := withoutAccents(name); words[plain] == (dateWord{}) {
			words[plain] = means
		}
	}
	return words
}()

func withoutAccents(s string) string {
	letters := strings.NewReplacer("ø", "o", "ł", "l").Replace(s)
	return strings.Map(func(c rune) rune {
		if unicode.Is(unicode.Mn, c) {
			return -1
		}
		return c
	}, norm.NFD.String(letters))
}
