/** Uploads, file records and addresses of assets. */
import type { AssetTransform, FileRecord, ListResult, Query } from "@baasix/types";
import {
  address,
  type CallOptions,
  type Http,
  type OnProgress,
  path,
  transferTimeout,
  type Wire,
} from "./http";

/** A file of React Native, named by its place on the device. */
export type NativeFile = { readonly uri: string; readonly name: string; readonly type: string };

/** What is known of a file beside its bytes. */
export type UploadOptions = CallOptions & {
  /** The name of the file; default that of a File, else `file`. */
  readonly filename?: string;
  readonly title?: string;
  readonly description?: string;
  readonly folder?: string;
  /** Readable by everyone; default false. */
  readonly isPublic?: boolean;
  readonly onProgress?: OnProgress;
};

/** What may be changed of a file. */
export type FileChanges = {
  readonly title?: string | null;
  readonly description?: string | null;
  readonly folder?: string | null;
  readonly isPublic?: boolean;
};

type Answer<Data> = { readonly data: Data };

/** The file calls of a client; see `createFiles`. */
export type Files = ReturnType<typeof createFiles>;

/** The calls on `/files` and `/assets`. */
export function createFiles(wire: Wire, http: Http) {
  return {
    /** Sends one file and answers its record. @throws BaasixError PAYLOAD_TOO_LARGE, FORBIDDEN */
    async upload(file: Blob | NativeFile, options: UploadOptions = {}): Promise<FileRecord> {
      const { filename, title, description, folder, isPublic, ...call } = options;
      const body = new FormData();
      // Before the file: the server reads the form as a stream.
      for (const [name, value] of Object.entries({ title, description, folder, isPublic })) {
        if (value !== undefined) body.append(name, String(value));
      }
      appendFile(body, "file", file, { filename });
      const request = { timeout: transferTimeout, ...call, method: "POST", path: "/files", body } as const;
      return (await http<Answer<FileRecord>>(request)).data;
    },
    /** The matching files' records. @throws BaasixError */
    find: (query?: Query<FileRecord>, options?: CallOptions) =>
      http<ListResult<FileRecord>>({ ...options, path: "/files", query }),
    /** One file's record. @throws BaasixError NOT_FOUND */
    async findOne(id: string, options?: CallOptions): Promise<FileRecord> {
      return (await http<Answer<FileRecord>>({ ...options, path: path`/files/${id}` })).data;
    },
    /** Changes a file's record and answers it. @throws BaasixError */
    async update(id: string, body: FileChanges, options?: CallOptions): Promise<FileRecord> {
      const request = { ...options, method: "PATCH", path: path`/files/${id}`, body } as const;
      return (await http<Answer<FileRecord>>(request)).data;
    },
    /** Deletes a file with its derived images. @throws BaasixError */
    async delete(id: string, options?: CallOptions): Promise<void> {
      await http({ ...options, method: "DELETE", path: path`/files/${id}` });
    },
    /**
     * The address of a file or of an image made from it. It carries no token: what is not public
     * needs the cookie, or `download`.
     */
    getAssetUrl: (id: string, transform: AssetTransform = {}) =>
      address(wire.url, path`/assets/${id}`, transform),
    /** The bytes of a file or of an image made from it. @throws BaasixError NOT_FOUND */
    download: (
      id: string,
      { signal, timeout = transferTimeout, ...query }: AssetTransform & CallOptions = {},
    ) => http<Blob>({ path: path`/assets/${id}`, query, signal, timeout, answer: "blob" }),
  };
}

/** Puts a file into a form, under `filename` or its own name; one without a name is called `unnamed`. */
export function appendFile(
  form: FormData,
  field: string,
  file: Blob | NativeFile,
  { filename, unnamed = "file" }: { readonly filename?: string | undefined; readonly unnamed?: string } = {},
): void {
  if (file instanceof Blob) {
    const named = "name" in file && typeof file.name === "string" ? file.name : unnamed;
    form.append(field, file, filename ?? named);
    return;
  }
  // React Native's FormData takes the description of a file where the standard has a Blob.
  form.append(field, { ...file, name: filename ?? file.name } as unknown as Blob);
}
