//! What people say in the sandbox's recordings: Vietnamese and English; every other language is English too.

const VIETNAMESE: [&str; 10] = [
    "Xin chào các bạn, hôm nay chúng ta nói về cách làm phở.",
    "Trước hết, nước dùng phải được ninh thật lâu.",
    "Bà tôi thường dậy từ bốn giờ sáng để nhóm bếp.",
    "Gừng và hành tây nướng cho thơm rồi mới thả vào nồi.",
    "Bánh phở mềm nhưng không được nát.",
    "Thịt bò thái mỏng, xếp đều lên mặt bát.",
    "Cuối cùng, một ít rau mùi và hành lá.",
    "Ai thích cay thì thêm vài lát ớt.",
    "Món này ăn nóng mới ngon.",
    "Cảm ơn các bạn đã lắng nghe, hẹn gặp lại.",
];
const ENGLISH: [&str; 10] = [
    "Hello everyone, today we talk about how to make a kite.",
    "First of all, the paper has to be light and strong.",
    "My grandfather cut the frame from a piece of bamboo.",
    "Tie the two sticks together where they cross.",
    "The tail keeps it steady when the wind is rough.",
    "Leave a hand of paper on every side and fold it over.",
    "Finally, a long line and an open field.",
    "If it dives, move the knot up a little.",
    "It flies best on a clear afternoon.",
    "Thank you for listening, and see you next time.",
];
/// What Whisper is known to invent where nobody speaks.
const INVENTED_VIETNAMESE: &str = "Hãy đăng ký kênh để không bỏ lỡ những video hấp dẫn.";
const INVENTED_ENGLISH: &str = "Thank you for watching!";

/// The sentence at a place, of a language's code.
pub(crate) fn sentence(language: &str, place: u64) -> &'static str {
    let sentences = if language == "vi" { &VIETNAMESE } else { &ENGLISH };
    sentences[usize::try_from(place % sentences.len() as u64).unwrap_or(0)]
}

/// What is heard where there is nothing to hear.
pub(crate) fn invented(language: &str) -> &'static str {
    if language == "vi" { INVENTED_VIETNAMESE } else { INVENTED_ENGLISH }
}
