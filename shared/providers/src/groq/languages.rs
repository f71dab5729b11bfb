//! The languages of Whisper: asked for by code, answered by name (openai/whisper, `tokenizer.py`).

const LANGUAGES: &str = "en English, zh Chinese, de German, es Spanish, ru Russian, ko Korean, fr French, ja Japanese, \
    pt Portuguese, tr Turkish, pl Polish, ca Catalan, nl Dutch, ar Arabic, sv Swedish, it Italian, id Indonesian, \
    hi Hindi, fi Finnish, vi Vietnamese, he Hebrew, uk Ukrainian, el Greek, ms Malay, cs Czech, ro Romanian, \
    da Danish, hu Hungarian, ta Tamil, no Norwegian, th Thai, ur Urdu, hr Croatian, bg Bulgarian, lt Lithuanian, \
    la Latin, mi Maori, ml Malayalam, cy Welsh, sk Slovak, te Telugu, fa Persian, lv Latvian, bn Bengali, \
    sr Serbian, az Azerbaijani, sl Slovenian, kn Kannada, et Estonian, mk Macedonian, br Breton, eu Basque, \
    is Icelandic, hy Armenian, ne Nepali, mn Mongolian, bs Bosnian, kk Kazakh, sq Albanian, sw Swahili, \
    gl Galician, mr Marathi, pa Punjabi, si Sinhala, km Khmer, sn Shona, yo Yoruba, so Somali, af Afrikaans, \
    oc Occitan, ka Georgian, be Belarusian, tg Tajik, sd Sindhi, gu Gujarati, am Amharic, yi Yiddish, lo Lao, \
    uz Uzbek, fo Faroese, ht Haitian Creole, ps Pashto, tk Turkmen, nn Nynorsk, mt Maltese, sa Sanskrit, \
    lb Luxembourgish, my Myanmar, bo Tibetan, tl Tagalog, mg Malagasy, as Assamese, tt Tatar, haw Hawaiian, \
    ln Lingala, ha Hausa, ba Bashkir, jw Javanese, su Sundanese, yue Cantonese";

fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    LANGUAGES.split(", ").filter_map(|entry| entry.split_once(' '))
}

pub(super) fn is_known(code: &str) -> bool {
    all().any(|(known, _)| known == code)
}

/// The code of a language by its name or code; a name that is not known stays as it was told.
pub(super) fn code_of(told: &str) -> String {
    let is_it =
        |(code, name): &(&str, &str)| name.eq_ignore_ascii_case(told) || code.eq_ignore_ascii_case(told);
    all().find(is_it).map_or(told, |(code, _)| code).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_codes_and_unknown_ones_stay() {
        let table = [
            ("Vietnamese", "vi"),
            ("vietnamese", "vi"),
            ("Haitian Creole", "ht"),
            ("vi", "vi"),
            ("Klingon", "Klingon"),
        ];
        for (told, code) in table {
            assert_eq!(code_of(told), code, "{told}");
        }
    }
}
