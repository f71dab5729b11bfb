//! What a problem says in the caller's language, and what it tells the developer of the client. English words stand with
//! the codes; here are those of every other language, one table each.

use crate::ProblemCode;
use primitives::Language;

/// The language that an `Accept-Language` wants most of those we write; English when it wants none of them.
pub fn wanted_language(accept: &str) -> Language {
    let mut best = (Language::English, 0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let tag = parts.next().unwrap_or_default().to_ascii_lowercase();
        let language = match tag.split('-').next().unwrap_or_default() {
            "vi" => Language::Vietnamese,
            "en" | "*" => Language::English,
            _ => continue,
        };
        let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(1000, thousandths);
        if quality > best.1 {
            best = (language, quality);
        }
    }
    best.0
}

/// `0.85` as 850; what can't be read wants nothing.
fn thousandths(text: &str) -> u32 {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let whole = whole.parse::<u32>().unwrap_or(0).min(1);
    let decimals: String = decimals.chars().chain("000".chars()).take(3).collect();
    whole * 1000 + decimals.parse::<u32>().unwrap_or(0)
}

/// Title and detail in Vietnamese.
pub(crate) fn vietnamese(code: ProblemCode) -> (&'static str, &'static str) {
    use ProblemCode as Code;
    match code {
        Code::Unauthenticated => ("Hãy đăng nhập", "Phiên đăng nhập không còn hiệu lực. Hãy đăng nhập lại."),
        Code::WebhookRefused => {
            ("Không xác minh được nơi gửi", "Chữ ký hoặc mã bí mật bị thiếu hoặc sai. Không có gì thay đổi.")
        }
        Code::InsufficientCredit => (
            "Không đủ số dư",
            "Số dư không đủ cho lần chạy này. Hãy nạp tiền hoặc đợi các lần đang chạy kết thúc. Bạn chưa bị trừ tiền.",
        ),
        Code::DebtOutstanding => (
            "Còn một khoản nợ",
            "Một khoản thanh toán đã bị thu hồi sau khi số dư của nó được dùng. Hãy nạp tiền để bù, rồi chạy tiếp.",
        ),
        Code::AccountSuspended => (
            "Tài khoản bị tạm khóa",
            "Tài khoản này tạm thời không thể thực hiện việc mới. Hãy liên hệ hỗ trợ; số dư được giữ nguyên.",
        ),
        Code::StepUpRequired => (
            "Hãy xác nhận đó là bạn",
            "Việc này cần lần đăng nhập trong mười phút gần đây. Hãy xác nhận đăng nhập rồi thử lại.",
        ),
        Code::ImpersonationRefused => (
            "Chỉ chính chủ mới làm được việc này",
            "Người thao tác thay chỉ được xem, không được dùng số dư hay sửa tài khoản.",
        ),
        Code::NotFound => (
            "Không có gì ở đây",
            "Không có gì ở địa chỉ này mà bạn được xem. Hãy kiểm tra lại địa chỉ và mã.",
        ),
        Code::MethodNotAllowed => ("Cần phương thức khác", "Địa chỉ này không nhận phương thức vừa gửi."),
        Code::NotAcceptable => {
            ("Không có dạng trả lời này", "Không thể trả lời theo dạng được yêu cầu. Bạn chưa bị trừ tiền.")
        }
        Code::RunConflict => {
            ("Lần chạy này đã tồn tại", "Mã này đã thuộc về một lần chạy khác. Hãy bắt đầu một lần chạy mới.")
        }
        Code::QuoteExpired => (
            "Báo giá đã hết hạn",
            "Giá đã báo không còn được giữ. Hãy xem giá mới rồi chạy lại. Bạn chưa bị trừ tiền.",
        ),
        Code::PriceChanged => {
            ("Giá đã thay đổi", "Giá hiện tại khác với giá bạn đã thấy. Bạn chưa bị trừ tiền.")
        }
        Code::BodyTooLarge => {
            ("Nội dung quá lớn", "Nội dung gửi lên dài hơn mức cho phép. Hãy rút ngắn lại.")
        }
        Code::UnsupportedMediaType => {
            ("Cần kiểu nội dung khác", "Nội dung gửi lên không đúng kiểu. Bạn chưa bị trừ tiền.")
        }
        Code::InvalidRequest => (
            "Không đọc được yêu cầu",
            "Yêu cầu bị sai dạng. Hãy sửa lại trước khi gửi. Bạn chưa bị trừ tiền.",
        ),
        Code::InvalidInput => (
            "Thông tin chưa hợp lệ",
            "Có giá trị không dùng được; hãy xem các ô được đánh dấu. Bạn chưa bị trừ tiền.",
        ),
        Code::InvalidRunId => {
            ("Mã lần chạy không hợp lệ", "Hãy bắt đầu một lần chạy mới. Bạn chưa bị trừ tiền.")
        }
        Code::QuoteMismatch => (
            "Báo giá không khớp",
            "Báo giá này dành cho nội dung khác. Hãy xem lại giá. Bạn chưa bị trừ tiền.",
        ),
        Code::ToolDisabled => (
            "Công cụ đang tắt",
            "Công cụ này hiện không được cung cấp. Hãy chọn lựa chọn khác hoặc thử lại sau.",
        ),
        Code::UnknownTool => (
            "Không có công cụ này",
            "Không có công cụ hay lựa chọn với tên này. Hãy xem bảng giá. Bạn chưa bị trừ tiền.",
        ),
        Code::ContentRejected => (
            "Nội dung bị từ chối",
            "Nhà cung cấp AI không xử lý nội dung này theo quy định của họ. Hãy đổi nội dung rồi thử lại. Bạn không bị trừ tiền.",
        ),
        Code::TooManyOpenRuns => (
            "Quá nhiều lần đang chạy",
            "Tài khoản đã có số lần chạy cùng lúc tối đa. Hãy đợi một lần kết thúc. Bạn chưa bị trừ tiền.",
        ),
        Code::GivenBackTooMuch => (
            "Hôm nay đã hoàn lại quá nhiều lần",
            "Các lần chạy không tính tiền của tài khoản đã dùng hết mức chi phí chúng tôi chịu trong ngày. Bạn có thể chạy tiếp khi sang ngày mới (UTC).",
        ),
        Code::RateLimited => {
            ("Quá nhiều yêu cầu", "Có quá nhiều yêu cầu trong thời gian ngắn. Hãy đợi một chút rồi thử lại.")
        }
        Code::ProviderFailed => (
            "Dịch vụ AI gặp lỗi",
            "Không dịch vụ AI nào thực hiện được lần chạy này. Bạn không bị trừ tiền. Hãy thử lại hoặc chọn mô hình khác.",
        ),
        Code::OutcomeUnknown => (
            "Chưa biết kết quả",
            "Dịch vụ AI có thể vẫn đang làm việc. Số tiền được giữ lại: kết quả sẽ được giao và tính tiền, hoặc tiền tự động trở lại.",
        ),
        Code::OutputNotStored => (
            "Không lưu được kết quả",
            "Kết quả đã có nhưng không lưu được. Tiền đã được trả lại. Hãy thử lại.",
        ),
        Code::RunCancelled => {
            ("Lần chạy đã bị hủy", "Bạn đã hủy lần chạy trước khi dịch vụ AI bắt đầu. Tiền đã được trả lại.")
        }
        Code::NotCancellable => (
            "Không thể hủy lần chạy này nữa",
            "Dịch vụ AI đang thực hiện. Lần chạy sẽ tiếp tục và được tính tiền khi có kết quả.",
        ),
        Code::RunBrokenOff => {
            ("Lần chạy bị ngắt", "Lần chạy bị ngắt ở phía chúng tôi. Tiền đã được trả lại. Hãy thử lại.")
        }
        Code::ProviderTimeout => {
            ("Dịch vụ AI quá chậm", "Dịch vụ AI không hoàn thành kịp. Bạn không bị trừ tiền. Hãy thử lại.")
        }
        Code::MethodUnavailable => (
            "Cách thanh toán này chưa dùng được",
            "Cách thanh toán này hiện không được cung cấp. Hãy chọn cách khác.",
        ),
        Code::AmountNotOffered => {
            ("Số tiền không được hỗ trợ", "Không thể nạp số tiền này. Hãy chọn một trong các mức có sẵn.")
        }
        Code::RateUnavailable => (
            "Chưa có tỷ giá",
            "Tỷ giá cho cách thanh toán này bị thiếu hoặc quá cũ. Hãy dùng cách khác hoặc thử lại sau.",
        ),
        Code::TooManyOpenTopUps => (
            "Quá nhiều đơn chưa thanh toán",
            "Bạn đã có số đơn chưa thanh toán tối đa. Hãy thanh toán hoặc hủy một đơn, hoặc đợi đơn hết hạn.",
        ),
        Code::TooManyTopUps => (
            "Quá nhiều đơn trong ngày",
            "Bạn đã tạo số đơn nạp tối đa trong ngày, kể cả đơn đã hủy. Hãy thanh toán đơn đang mở hoặc đợi.",
        ),
        Code::IdempotencyConflict => {
            ("Yêu cầu bị trùng mã", "Mã này đã được dùng cho một yêu cầu khác. Không có gì thay đổi.")
        }
        Code::TopUpNotOpen => {
            ("Đơn nạp không còn mở", "Đơn đã được thanh toán hoặc đã hết hạn, nên không còn gì để hủy.")
        }
        Code::PaymentSettled => (
            "Khoản thanh toán đã được xử lý",
            "Khoản này đã thành số dư, bị bỏ qua hoặc bị thu hồi trước đó. Hãy xem lại.",
        ),
        Code::WrongPaymentState => (
            "Trạng thái không cho phép",
            "Trạng thái của khoản thanh toán không cho phép việc này. Hãy xem lại trạng thái.",
        ),
        Code::TransferUnknown => (
            "Chưa thấy giao dịch",
            "Chưa thấy giao dịch đã xác nhận nào với mã này đến ví của chúng tôi. Hãy kiểm tra mã và thử lại khi mạng đã xác nhận.",
        ),
        Code::NothingToClaim => (
            "Không còn gì để nhận",
            "Khoản của giao dịch này đã được cộng trước đó. Nếu đó là của bạn, hãy gửi mã giao dịch cho hỗ trợ.",
        ),
        Code::ClaimUnclear => (
            "Yêu cầu cần người xem xét",
            "Không thể chắc chắn giao dịch là của bạn, hoặc có người khác cũng nhận. Yêu cầu đã được ghi lại; hỗ trợ sẽ quyết định và viết cho bạn.",
        ),
        Code::AccountClosed => {
            ("Tài khoản đã đóng", "Người dùng của tài khoản đã bị xóa, nên không thể cộng số dư.")
        }
        Code::UploadNotReady => (
            "Tệp chưa được tải lên",
            "Chưa nhận được tệp nào cho lần tải lên này. Hãy gửi tệp bằng biểu mẫu của nó, hoặc bắt đầu lại nếu biểu mẫu đã hết hạn.",
        ),
        Code::DriveUnavailable => (
            "Không hỗ trợ kho lưu trữ này",
            "Không thể kết nối kho lưu trữ này ở đây. Hãy chọn kho khác trong phần cài đặt.",
        ),
        Code::DriveNotLinked => {
            ("Kho lưu trữ chưa được kết nối", "Hãy kết nối kho lưu trữ trong phần cài đặt, rồi lưu lại.")
        }
        Code::DriveLinked => (
            "Kho lưu trữ đã được kết nối",
            "Kho này đã được kết nối. Muốn dùng tài khoản khác, hãy ngắt kết nối trước.",
        ),
        Code::DriveReconnect => (
            "Hãy kết nối lại kho lưu trữ",
            "Kho lưu trữ không còn chấp nhận quyền truy cập đã cấp. Hãy kết nối lại trong phần cài đặt, rồi lưu lại.",
        ),
        Code::DriveFailed => (
            "Kho lưu trữ không phản hồi",
            "Kho lưu trữ không trả lời như mong đợi. Không có gì thay đổi; hãy thử lại sau ít phút.",
        ),
        Code::OutputGone => {
            ("Tệp không còn nữa", "Kết quả đã hết thời hạn lưu và đã bị xóa, nên không thể lưu được nữa.")
        }
        Code::UploadRefused => (
            "Không dùng được tệp đã tải lên",
            "Tệp đã tải lên không dùng được. Hãy tải lên tệp khác. Bạn chưa bị trừ tiền.",
        ),
        Code::TooManyUploads => (
            "Tải lên quá nhiều",
            "Tài khoản đã mở số lần tải lên tối đa, hoặc đã khai báo đủ dung lượng của một ngày. Hãy đợi rồi thử lại.",
        ),
        Code::ProcessorUnavailable => (
            "Không hỏi được cổng thanh toán",
            "Cổng thanh toán không trả lời. Không mất gì cả; hãy thử lại sau ít phút.",
        ),
        Code::NotAdministrator => {
            ("Chỉ dành cho quản trị viên", "Tài khoản của bạn không phải là quản trị viên.")
        }
        Code::StoreUnavailable => (
            "Hãy thử lại sau ít phút",
            "Hệ thống lưu trữ không trả lời. Hãy gửi lại đúng yêu cầu này: bạn không bị trừ tiền hai lần.",
        ),
        Code::IdentityUnavailable => {
            ("Chưa kiểm tra được đăng nhập", "Dịch vụ đăng nhập không trả lời. Hãy thử lại sau ít phút.")
        }
        Code::NoAnswer => (
            "Dịch vụ bị ngắt",
            "Dịch vụ bị ngắt trước khi trả lời; chưa rõ yêu cầu đã được thực hiện hay chưa. Hãy gửi lại đúng yêu cầu này: không việc gì bị làm hai lần.",
        ),
        Code::TimedOut => (
            "Dịch vụ quá chậm",
            "Dịch vụ không trả lời kịp và có thể vẫn đang thực hiện. Hãy xem lại lần chạy, hoặc gửi lại đúng yêu cầu này.",
        ),
        Code::Internal => (
            "Có lỗi ở phía chúng tôi",
            "Hãy xem lại lần chạy trước khi thử lại; bạn không bị trừ tiền hai lần. Hỗ trợ tìm được yêu cầu qua mã của nó.",
        ),
    }
}

/// What the developer of a client has to do about it, where there is something.
pub(crate) fn hint(code: ProblemCode) -> Option<&'static str> {
    use ProblemCode as Code;
    Some(match code {
        Code::Unauthenticated => {
            "Fetch a fresh token for each call and send it as `Authorization: Bearer`. A token lives a minute."
        }
        Code::MethodNotAllowed => "`Allow` lists the methods of this address.",
        Code::NotAcceptable => "Send `Accept: application/json` or `Accept: text/event-stream`.",
        Code::UnsupportedMediaType => "Send `Content-Type: application/json`.",
        Code::InvalidInput => {
            "`errors` names each value by a JSON pointer, or by `?name` for one of the query."
        }
        Code::InvalidRunId => "A run id is a ULID made within the last day, at most five minutes ahead.",
        Code::RunConflict | Code::IdempotencyConflict => {
            "The name of a request belongs to its first body. Make a new one for each intention."
        }
        Code::QuoteExpired | Code::QuoteMismatch => {
            "Ask `POST /v1/quotes` anew, with exactly the input of the run."
        }
        Code::PriceChanged => "Read `price`, show it, and send the request with it.",
        Code::InsufficientCredit => {
            "`price` and `available` are in `unit`s of the ledger. After a top-up the same request may be sent again."
        }
        Code::RateLimited
        | Code::GivenBackTooMuch
        | Code::TooManyOpenRuns
        | Code::TooManyTopUps
        | Code::TooManyUploads => "Wait `retry_after_seconds`.",
        Code::UploadNotReady => {
            "Post `form.fields` and then the file, as `file`, to `form.url`; `GET /v1/uploads/{id}` tells what came of it."
        }
        Code::DriveNotLinked | Code::DriveReconnect => {
            "`POST /v1/drives/{drive}/link` gives the drive's own page; send the browser there, not an embedded frame."
        }
        Code::StoreUnavailable | Code::NoAnswer | Code::TimedOut => {
            "Send the same request with the same `run_id` or `Idempotency-Key`: nothing is done twice."
        }
        Code::OutcomeUnknown => "Poll `GET /v1/runs/{id}`; `X-Run-Id` names it.",
        Code::ProviderFailed
        | Code::ProviderTimeout
        | Code::OutputNotStored
        | Code::RunBrokenOff
        | Code::RunCancelled => {
            "To try again, send a new `run_id` or `Idempotency-Key`: the old one keeps this answer."
        }
        Code::WebhookRefused => {
            "Set the same secret here and at the sender, then have the message sent again; the log names the reason."
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_one_that_is_wanted_most() {
        for (accept, language) in [
            ("", Language::English),
            ("vi", Language::Vietnamese),
            ("vi-VN,vi;q=0.9,en;q=0.8", Language::Vietnamese),
            ("en-US,en;q=0.9,vi;q=0.8", Language::English),
            ("fr-FR,fr;q=0.9,vi;q=0.5,en;q=0.4", Language::Vietnamese),
            ("en;q=0.4, VI;q=0.85", Language::Vietnamese),
            ("fr, *;q=0.1", Language::English),
            ("vi;q=0", Language::English),
            ("vi;q=rubbish", Language::English),
        ] {
            assert_eq!(wanted_language(accept), language, "{accept}");
        }
    }

    #[test]
    fn every_problem_has_words_of_its_own_in_vietnamese() {
        let mut titles: Vec<&str> = ProblemCode::ALL.iter().map(|code| vietnamese(*code).0).collect();
        titles.sort_unstable();
        titles.dedup();
        assert_eq!(titles.len(), ProblemCode::ALL.len());
        for code in ProblemCode::ALL {
            let (title, detail) = vietnamese(*code);
            assert!(!title.is_ascii() && !detail.is_ascii(), "{code:?}");
        }
    }
}
