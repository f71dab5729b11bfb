//! Pictures, from words or from a picture.

use super::field::{Choice, Kind, Words};
use super::material::about;
use super::script::prompt;
use super::{Cases, Field, Limits, Materials, Pace, Sources, Values, Wish, seed_of};
use crate::pricing::Case;
use crate::{FieldError, PriceRow};
use media::FileFamily;
use primitives::{Private, RunId, UploadId};
use providers::{ImageRequest, Measure, Painted, Request};

/// As many pictures as one run makes.
const COUNT_MAX: u32 = 4;
/// The largest picture that others are made from; what is made from it has its size.
const SOURCE_PIXELS_MAX: u64 = 4_194_304;

#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    prompt: Private<String>,
    size: ImageSize,
    seed: Option<u32>,
    count: u32,
    picture: Option<UploadId>,
    change: u8,
}

/// The shapes fal and ComfyUI both make; names as in fal's `image_size`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageSize {
    SquareHd,
    Square,
    Portrait43,
    Portrait169,
    Landscape43,
    Landscape169,
}

impl ImageSize {
    /// fal's own, when a request names none.
    pub const DEFAULT: ImageSize = ImageSize::Landscape43;

    pub const ALL: [ImageSize; 6] = [
        ImageSize::SquareHd,
        ImageSize::Square,
        ImageSize::Portrait43,
        ImageSize::Portrait169,
        ImageSize::Landscape43,
        ImageSize::Landscape169,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            ImageSize::SquareHd => "square_hd",
            ImageSize::Square => "square",
            ImageSize::Portrait43 => "portrait_4_3",
            ImageSize::Portrait169 => "portrait_16_9",
            ImageSize::Landscape43 => "landscape_4_3",
            ImageSize::Landscape169 => "landscape_16_9",
        }
    }

    /// Width and height in pixels.
    pub fn pixels(self) -> (u32, u32) {
        match self {
            ImageSize::SquareHd => (1024, 1024),
            ImageSize::Square => (512, 512),
            ImageSize::Portrait43 => (768, 1024),
            ImageSize::Portrait169 => (576, 1024),
            ImageSize::Landscape43 => (1024, 768),
            ImageSize::Landscape169 => (1024, 576),
        }
    }

    /// What fal bills for it: megapixels, begun ones counting whole (`docs/facts/prices.md`).
    pub fn units(self) -> u64 {
        let (width, height) = self.pixels();
        (u64::from(width) * u64::from(height)).div_ceil(1_000_000)
    }

    fn title(self) -> Words {
        match self {
            ImageSize::SquareHd => Words("Square, large", "Vuông, lớn"),
            ImageSize::Square => Words("Square", "Vuông"),
            ImageSize::Portrait43 => Words("Portrait 3:4", "Dọc 3:4"),
            ImageSize::Portrait169 => Words("Portrait 9:16", "Dọc 9:16"),
            ImageSize::Landscape43 => Words("Landscape 4:3", "Ngang 4:3"),
            ImageSize::Landscape169 => Words("Landscape 16:9", "Ngang 16:9"),
        }
    }

    fn choice(self) -> Choice {
        let ((width, height), Words(english, vietnamese)) = (self.pixels(), self.title());
        let with_pixels = |title: &str| format!("{title} ({width} × {height})");
        Choice::new(self.as_str(), &with_pixels(english), &with_pixels(vietnamese))
    }

    fn of(word: &str) -> Option<ImageSize> {
        ImageSize::ALL.into_iter().find(|size| size.as_str() == word)
    }

    fn measure(self, count: u32) -> Measure {
        let (width, height) = self.pixels();
        Measure::Image { width, height, count }
    }
}

/// In order of display; what is taken when nothing is sent comes first.
fn sizes() -> Vec<Choice> {
    let others = ImageSize::ALL.into_iter().filter(|size| *size != ImageSize::DEFAULT);
    std::iter::once(ImageSize::DEFAULT).chain(others).map(ImageSize::choice).collect()
}

impl Wish for Wanted {
    const PACE: Pace = Pace::Waited;
    const FAMILY: FileFamily = FileFamily::Image;

    fn fields() -> Vec<Field> {
        vec![
            prompt(),
            Field::new("size", Words("Size", "Kích thước"), Kind::Choice(sizes())),
            Field::new(
                "count",
                Words("How many", "Số lượng"),
                Kind::Whole { from: 1, to: u64::from(COUNT_MAX), default: Some(1) },
            )
            .with_help("All of them are one run with one price.", "Tất cả là một lần chạy với một giá."),
            Field::new("picture", Words("From a picture", "Từ một ảnh"), Kind::Upload(FileFamily::Image))
                .with_help(
                    "A picture that you have uploaded: the new ones are made from it, and have its size and its price by size.",
                    "Một ảnh bạn đã tải lên: ảnh mới được tạo từ ảnh đó, có kích thước và giá theo kích thước của ảnh đó.",
                ),
            Field::new(
                "change",
                Words("How far from it", "Mức thay đổi"),
                Kind::Whole { from: 1, to: 100, default: Some(80) },
            )
            .with_help(
                "In hundredths: 1 hardly changes the picture, 100 forgets it.",
                "Theo phần trăm: 1 gần như giữ nguyên ảnh, 100 là bỏ qua ảnh.",
            ),
            seed(),
        ]
    }

    fn of(values: &Values) -> Result<Wanted, FieldError> {
        Ok(Wanted {
            prompt: values.text("prompt").cloned().unwrap_or_else(|| Private::new(String::new())),
            size: values.word("size").and_then(ImageSize::of).unwrap_or(ImageSize::DEFAULT),
            seed: values.whole("seed"),
            count: values.whole("count").unwrap_or(1),
            picture: values.upload("picture"),
            change: values.whole("change").and_then(|change| u8::try_from(change).ok()).unwrap_or(80),
        })
    }

    fn least_work() -> Vec<Measure> {
        vec![Measure::Image { width: 1, height: 1, count: 1 }]
    }

    /// By the size, of one picture; then of all that one run makes.
    fn cases(_: &PriceRow) -> Cases {
        let of = |count: u32| {
            ImageSize::ALL.into_iter().map(move |size| {
                (Case::Size(size, count), size.units() * u64::from(count), size.measure(count))
            })
        };
        (1..=COUNT_MAX).flat_map(of).collect()
    }

    fn units(&self, _: &PriceRow, materials: &Materials) -> u64 {
        let (width, height) = self.pixels(materials);
        let megapixels = (u64::from(width) * u64::from(height)).div_ceil(1_000_000);
        megapixels.max(1) * u64::from(self.count)
    }

    fn measure(&self, _: u32, materials: &Materials) -> Measure {
        let (width, height) = self.pixels(materials);
        Measure::Image { width, height, count: self.count }
    }

    fn check(&self, _: &PriceRow, materials: &Materials, _: &Limits) -> Vec<FieldError> {
        let (width, height) = self.pixels(materials);
        match u64::from(width) * u64::from(height) > SOURCE_PIXELS_MAX {
            true => vec![about(
                "picture",
                "it has more than four million pixels: make it smaller",
                "ảnh có hơn bốn triệu điểm ảnh: hãy thu nhỏ",
            )],
            false => Vec::new(),
        }
    }

    fn request(&self, run: RunId, _: u32, sources: &Sources) -> Option<Request> {
        let source = match self.picture {
            None => None,
            Some(id) => Some(Painted { picture: sources.get(id)?, change: self.change }),
        };
        let of_picture = source.as_ref().and_then(|source| source.picture.pixels);
        let (width, height) = of_picture.unwrap_or_else(|| self.size.pixels());
        Some(Request::Image(ImageRequest {
            prompt: self.prompt.clone(),
            width,
            height,
            seed: self.seed.unwrap_or_else(|| seed_of(run)),
            count: self.count,
            source,
        }))
    }
}

impl Wanted {
    /// Width and height of what is made; what is made from a picture has the picture's.
    fn pixels(&self, materials: &Materials) -> (u32, u32) {
        let of_picture = self.picture.and_then(|id| materials.get(id)?.pixels);
        of_picture.unwrap_or_else(|| self.size.pixels())
    }
}

/// What makes the same thing again.
pub(super) fn seed() -> Field {
    Field::new(
        "seed",
        Words("Seed", "Số ngẫu nhiên"),
        Kind::Whole { from: 0, to: u64::from(u32::MAX), default: None },
    )
    .with_help(
        "The same number and text make the same again. Leave it empty for a new one each time.",
        "Cùng một số và nội dung sẽ tạo lại cùng một kết quả. Để trống để mỗi lần có kết quả mới.",
    )
}
