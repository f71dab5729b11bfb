//! S3 on a folder: `s3s-fs`, with what it lacks and without the keys it can't keep.

mod folder;
mod notes;
mod put;

use super::StoreStartError;
use folder::{UPLOAD_SUFFIX, check_key};
use notes::{drop_note, keep, kept};
use primitives::Clock;
use put::PlainPut;
use s3s::auth::{S3Auth, SecretKey};
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::dto::*;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3, S3Error, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use std::pin::Pin;
use std::sync::Arc;

pub(super) use folder::ObjectFolder;

const TAGGING: &str = "tagging.xml";
const LIFECYCLE: &str = "lifecycle.xml";
const CORS: &str = "cors.xml";
const PUBLIC_ACCESS: &str = "public-access.xml";

/// What parts of an object are counted in, told with every answer as S3 does: a player asks for parts only then.
const RANGES: &str = "bytes";

pub(super) struct Objects {
    files: FileSystem,
    folder: ObjectFolder,
    clock: Clock,
}

impl Objects {
    /// The whole service: signatures checked, links good for any date a test's clock may write on them.
    pub(super) fn serve(
        folder: ObjectFolder,
        clock: Clock,
        secret: SecretKey,
    ) -> Result<S3Service, StoreStartError> {
        let files = FileSystem::new(folder.root())
            .map_err(|error| StoreStartError::interrupted(std::io::Error::other(format!("{error:?}"))))?;
        let mut service = S3ServiceBuilder::new(Objects { files, folder, clock });
        service.set_auth(OneSecret(secret));
        let mut config = S3Config::default();
        config.presigned_url_max_skew_time_secs = u32::MAX;
        service.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
        Ok(service.build())
    }

    fn date(&self, bucket: &str, key: &str) -> S3Result<()> {
        self.folder.date(bucket, key, self.clock.now()).map_err(S3Error::internal_error)
    }

    fn require_object(&self, bucket: &str, key: &str) -> S3Result<()> {
        check_key(bucket, key, 0)?;
        if self.folder.object(bucket, key).is_file() { Ok(()) } else { Err(s3_error!(NoSuchKey)) }
    }

    fn require_bucket(&self, bucket: &str) -> S3Result<()> {
        if self.folder.bucket(bucket).is_dir() { Ok(()) } else { Err(s3_error!(NoSuchBucket)) }
    }

    fn keep_setting(&self, bucket: &str, kind: &str, content: &impl s3s::xml::Serialize) -> S3Result<()> {
        self.require_bucket(bucket)?;
        keep(&self.folder.note(bucket, None, kind), content)
    }

    fn setting<T: for<'xml> s3s::xml::Deserialize<'xml>>(
        &self,
        bucket: &str,
        kind: &str,
    ) -> S3Result<Option<T>> {
        self.require_bucket(bucket)?;
        kept(&self.folder.note(bucket, None, kind))
    }
}

/// Signatures are verified with the one secret there is. Whose access key it is does not matter to the store: who may do
/// what is IAM's business.
struct OneSecret(SecretKey);

#[async_trait::async_trait]
impl S3Auth for OneSecret {
    async fn get_secret_key(&self, _access_key: &str) -> S3Result<SecretKey> {
        Ok(self.0.clone())
    }
}

/// `If-None-Match`, which `s3s-fs` doesn't look at when it reads.
fn unless_unchanged(condition: Option<&ETagCondition>, found: Option<&ETag>) -> S3Result<()> {
    match (condition, found) {
        (Some(ETagCondition::Any), Some(_)) => Err(s3_error!(NotModified)),
        (Some(ETagCondition::ETag(known)), Some(found)) if known.weak_cmp(found) => {
            Err(s3_error!(NotModified))
        }
        _ => Ok(()),
    }
}

fn done<T: Default>() -> S3Result<S3Response<T>> {
    Ok(S3Response::new(T::default()))
}

/// Methods that `s3s-fs` serves as they are, in the shape `async_trait` gives them.
macro_rules! forwarded {
    ($($method:ident: $input:ty => $output:ty;)*) => {$(
        fn $method<'a, 'b>(
            &'a self,
            request: S3Request<$input>,
        ) -> Pin<Box<dyn Future<Output = S3Result<S3Response<$output>>> + Send + 'b>>
        where
            'a: 'b,
            Self: 'b,
        {
            self.files.$method(request)
        }
    )*};
}

#[async_trait::async_trait]
impl S3 for Objects {
    forwarded! {
        create_bucket: CreateBucketInput => CreateBucketOutput;
        head_bucket: HeadBucketInput => HeadBucketOutput;
        list_buckets: ListBucketsInput => ListBucketsOutput;
        get_bucket_location: GetBucketLocationInput => GetBucketLocationOutput;
        list_objects: ListObjectsInput => ListObjectsOutput;
        list_objects_v2: ListObjectsV2Input => ListObjectsV2Output;
        upload_part: UploadPartInput => UploadPartOutput;
        list_parts: ListPartsInput => ListPartsOutput;
        abort_multipart_upload: AbortMultipartUploadInput => AbortMultipartUploadOutput;
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
        check_key(&bucket, &key, 0)?;
        self.require_bucket(&bucket)?;
        if request.input.tagging.is_some() {
            return Err(s3_error!(NotImplemented, "the local store takes tags by PutObjectTagging only"));
        }
        let request = match PlainPut::of(request) {
            Ok(put) => return put.store(self.folder.clone(), self.clock.now()).await,
            Err(request) => *request,
        };
        let response = self.files.put_object(request).await?;
        drop_note(&self.folder.note(&bucket, Some(&key), TAGGING))?;
        self.date(&bucket, &key)?;
        Ok(response)
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        check_key(&request.input.bucket, &request.input.key, 0)?;
        let condition = request.input.if_none_match.clone();
        let mut response = self.files.get_object(request).await?;
        response.output.accept_ranges = Some(RANGES.to_owned());
        unless_unchanged(condition.as_ref(), response.output.e_tag.as_ref())?;
        Ok(response)
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        self.require_object(&request.input.bucket, &request.input.key)?;
        let condition = request.input.if_none_match.clone();
        let mut response = self.files.head_object(request).await?;
        response.output.accept_ranges = Some(RANGES.to_owned());
        unless_unchanged(condition.as_ref(), response.output.e_tag.as_ref())?;
        Ok(response)
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
        check_key(&bucket, &key, 0)?;
        let response = self.files.delete_object(request).await?;
        self.folder.forget(&bucket, &key);
        Ok(response)
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let bucket = request.input.bucket.clone();
        let keys: Vec<_> = request.input.delete.objects.iter().map(|object| object.key.clone()).collect();
        keys.iter().try_for_each(|key| check_key(&bucket, key, 0))?;
        let response = self.files.delete_objects(request).await?;
        keys.iter().for_each(|key| self.folder.forget(&bucket, key));
        Ok(response)
    }

    async fn copy_object(
        &self,
        request: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
        check_key(&bucket, &key, 0)?;
        if let CopySource::Bucket { bucket, key, .. } = &request.input.copy_source {
            check_key(bucket, key, 0)?;
        }
        let response = self.files.copy_object(request).await?;
        self.date(&bucket, &key)?;
        Ok(response)
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        check_key(&request.input.bucket, &request.input.key, UPLOAD_SUFFIX)?;
        self.require_bucket(&request.input.bucket)?;
        let response = self.files.create_multipart_upload(request).await?;
        let id = response.output.upload_id.as_deref().unwrap_or_default();
        self.folder.date_unfinished(id, self.clock.now()).map_err(S3Error::internal_error)?;
        Ok(response)
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let bucket = request.input.bucket;
        self.require_bucket(&bucket)?;
        let unfinished = self.folder.unfinished(&bucket).map_err(S3Error::internal_error)?;
        let upload =
            |(key, id)| MultipartUpload { key: Some(key), upload_id: Some(id), ..Default::default() };
        let uploads = unfinished.into_iter().map(upload).collect();
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(bucket),
            uploads: Some(uploads),
            ..Default::default()
        }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
        check_key(&bucket, &key, 0)?;
        let response = self.files.complete_multipart_upload(request).await?;
        drop_note(&self.folder.note(&bucket, Some(&key), TAGGING))?;
        self.date(&bucket, &key)?;
        Ok(response)
    }

    async fn put_object_tagging(
        &self,
        request: S3Request<PutObjectTaggingInput>,
    ) -> S3Result<S3Response<PutObjectTaggingOutput>> {
        let PutObjectTaggingInput { bucket, key, tagging, .. } = request.input;
        self.require_object(&bucket, &key)?;
        keep(&self.folder.note(&bucket, Some(&key), TAGGING), &tagging)?;
        done()
    }

    async fn get_object_tagging(
        &self,
        request: S3Request<GetObjectTaggingInput>,
    ) -> S3Result<S3Response<GetObjectTaggingOutput>> {
        let GetObjectTaggingInput { bucket, key, .. } = request.input;
        self.require_object(&bucket, &key)?;
        let tagging: Option<Tagging> = kept(&self.folder.note(&bucket, Some(&key), TAGGING))?;
        let tag_set = tagging.map(|tagging| tagging.tag_set).unwrap_or_default();
        Ok(S3Response::new(GetObjectTaggingOutput { tag_set, version_id: None }))
    }

    async fn delete_object_tagging(
        &self,
        request: S3Request<DeleteObjectTaggingInput>,
    ) -> S3Result<S3Response<DeleteObjectTaggingOutput>> {
        let DeleteObjectTaggingInput { bucket, key, .. } = request.input;
        self.require_object(&bucket, &key)?;
        drop_note(&self.folder.note(&bucket, Some(&key), TAGGING))?;
        done()
    }

    // Settings of the bucket are kept and given back; the local run acts by the rules it was opened with.

    async fn put_bucket_lifecycle_configuration(
        &self,
        request: S3Request<PutBucketLifecycleConfigurationInput>,
    ) -> S3Result<S3Response<PutBucketLifecycleConfigurationOutput>> {
        let setting = request.input.lifecycle_configuration.ok_or_else(|| s3_error!(MalformedXML))?;
        self.keep_setting(&request.input.bucket, LIFECYCLE, &setting)?;
        done()
    }

    async fn get_bucket_lifecycle_configuration(
        &self,
        request: S3Request<GetBucketLifecycleConfigurationInput>,
    ) -> S3Result<S3Response<GetBucketLifecycleConfigurationOutput>> {
        let setting: Option<BucketLifecycleConfiguration> = self.setting(&request.input.bucket, LIFECYCLE)?;
        let setting = setting.ok_or_else(|| s3_error!(NoSuchLifecycleConfiguration))?;
        let output =
            GetBucketLifecycleConfigurationOutput { rules: Some(setting.rules), ..Default::default() };
        Ok(S3Response::new(output))
    }

    async fn put_bucket_cors(
        &self,
        request: S3Request<PutBucketCorsInput>,
    ) -> S3Result<S3Response<PutBucketCorsOutput>> {
        self.keep_setting(&request.input.bucket, CORS, &request.input.cors_configuration)?;
        done()
    }

    async fn get_bucket_cors(
        &self,
        request: S3Request<GetBucketCorsInput>,
    ) -> S3Result<S3Response<GetBucketCorsOutput>> {
        let setting: Option<CORSConfiguration> = self.setting(&request.input.bucket, CORS)?;
        let setting = setting.ok_or_else(|| s3_error!(NoSuchCORSConfiguration))?;
        Ok(S3Response::new(GetBucketCorsOutput { cors_rules: Some(setting.cors_rules) }))
    }

    async fn put_public_access_block(
        &self,
        request: S3Request<PutPublicAccessBlockInput>,
    ) -> S3Result<S3Response<PutPublicAccessBlockOutput>> {
        let setting = &request.input.public_access_block_configuration;
        self.keep_setting(&request.input.bucket, PUBLIC_ACCESS, setting)?;
        done()
    }

    async fn get_public_access_block(
        &self,
        request: S3Request<GetPublicAccessBlockInput>,
    ) -> S3Result<S3Response<GetPublicAccessBlockOutput>> {
        let setting = self.setting(&request.input.bucket, PUBLIC_ACCESS)?;
        Ok(S3Response::new(GetPublicAccessBlockOutput { public_access_block_configuration: setting }))
    }
}
