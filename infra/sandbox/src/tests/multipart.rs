use crate::multipart::Form;

const TYPE: Option<&str> = Some("multipart/form-data; boundary=seam");

#[test]
fn fields_and_files_are_read_in_any_of_the_usual_spellings() {
    let body = b"--seam\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nxin ch\xc3\xa0o\r\n\
        --seam\r\ncontent-type: audio/wav\r\ncontent-disposition: form-data; filename=\"a \\\"b\\\";c.wav\"; name=file\r\n\r\n\r\n--sea\r\n\0\xff\r\n\
        --seam\r\nContent-Disposition: form-data; name=\"x\"; filename*=utf-8''ti%E1%BA%BFng.wav\r\n\r\n\r\n\
        --seam\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nagain\r\n--seam--\r\n";
    for content_type in [TYPE, Some("Multipart/Form-Data; charset=utf-8; boundary=\"seam\"")] {
        let form = Form::read(content_type, body).expect("a form");
        assert_eq!(form.text("text"), Some("xin chào"));
        assert_eq!(form.texts("text"), ["xin chào", "again"]);
        let file = form.find("file").expect("a file");
        assert_eq!(
            (file.file_name.as_deref(), file.body),
            (Some("a \"b\";c.wav"), &b"\r\n--sea\r\n\0\xff"[..])
        );
        assert_eq!(form.find("x").and_then(|part| part.file_name.clone()).as_deref(), Some("tiếng.wav"));
        assert_eq!((form.text("file"), form.text("none")), (None, None));
    }
    assert!(Form::read(TYPE, b"--seam--\r\n").is_some_and(|form| form.find("text").is_none()));
}

#[test]
fn what_is_cut_or_of_another_type_is_no_form() {
    let whole = b"--seam\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nvalue\r\n--seam--";
    assert!(Form::read(TYPE, whole).is_some());
    for end in 0..whole.len() {
        assert!(Form::read(TYPE, &whole[..end]).is_none(), "cut at {end}");
    }
    for content_type in [
        None,
        Some("application/json"),
        Some("multipart/mixed; boundary=seam"),
        Some("multipart/form-data; charset=x"),
    ] {
        assert!(Form::read(content_type, whole).is_none());
    }
}
