/**
 * The SQL functions that searches and their indexes are made of. An index calls them, so PostgreSQL wants them
 * immutable: a change of their text means that the indexes have to be made anew.
 */
import { quoteLiteral, quoteName, type Statement } from "../query/statement";
import { putFunction, type SqlFunction, staleFunctions } from "./functions";

const plain = (text: string): Statement => ({ text, params: [] });

/**
 * Extensions that a search uses where they are there, and how it is without them. The owner of a database may create
 * both, where the server has them.
 */
export const wantedExtensions = [
  { name: "unaccent", without: "a search takes é for e, but not ø for o or ß for ss" },
  { name: "pg_trgm", without: "searchMode=fuzzy is refused" },
] as const;

/** The extensions whose objects our statements can name, as one column. */
export const loadExtensions: Statement = plain(
  "select extname from pg_extension e join pg_namespace n on n.oid = e.extnamespace " +
    "where nspname = 'public' order by 1",
);

/** @throws SQLSTATE 42501, 58P01 or 0A000 where the role may not, or the server has no such extension. */
export function createExtension(name: (typeof wantedExtensions)[number]["name"]): Statement {
  return plain(`create extension if not exists ${quoteName(name)} with schema public`);
}

/** Longest text of one row, in characters, that is searched: what a `tsvector` may hold is bounded. */
const searchedLength = 100_000;

// `cost` tells the planner what reading rows one by one would take, so that it prefers the indexes.
const lead = "language plpgsql immutable strict parallel safe";
const punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/**
 * `unaccented`: the extension `unaccent` is there. Without it letters lose the marks that Unicode takes apart from them
 * (é, ü, ñ), while letters such as ø and ß stay.
 */
function searchFunctions(unaccented: boolean): readonly SqlFunction[] {
  const bare = unaccented
    ? "public.unaccent('public.unaccent'::regdictionary, content)"
    : "case when getdatabaseencoding() = 'UTF8' then normalize(regexp_replace(normalize(content, NFD), " +
      "'[\\u0300-\\u036F]', '', 'g'), NFC) else content end";
  return [
    {
      name: "baasix_unaccent",
      takes: "content text",
      head: `returns text ${lead} cost 10`,
      body: `begin return ${bare}; end`,
    },
    {
      // PostgreSQL would read a mail address, a host, a path or "A-001" as one word; here each part is one.
      name: "baasix_words",
      takes: "content text",
      head: `returns text ${lead} cost 20`,
      body: `begin return translate(public.baasix_unaccent(content), ${quoteLiteral(punctuation)}, repeat(' ', ${punctuation.length})); end`,
    },
    {
      // pg_trgm sees letters as the locale of the database does, and that of ours knows ASCII alone. A letter of another
      // script stands as one ASCII character: neighbours in Unicode stay different, so words stay as like as they are.
      name: "baasix_likeness",
      takes: "content text",
      head: `returns text ${lead} cost 200`,
      body:
        `declare bare text := lower(public.baasix_unaccent(left(content, ${searchedLength}))); begin ` +
        "if octet_length(bare) = length(bare) then return bare; end if; " +
        "return (select string_agg(case when ascii(letter) < 128 then letter " +
        "else substr('abcdefghijklmnopqrstuvwxyz0123456789', ascii(letter) % 36 + 1, 1) end, '' order by place) " +
        "from regexp_split_to_table(bare, '') with ordinality as s(letter, place)); end",
    },
    {
      // Words as they are, so that a beginning finds them, and their stems, so that "running" finds "runs".
      name: "baasix_search_vector",
      takes: "content text",
      head: `returns tsvector ${lead} cost 1000`,
      body:
        `declare words text := left(public.baasix_words(left(content, ${searchedLength})), ${searchedLength}); ` +
        "begin return to_tsvector('pg_catalog.simple', words) || to_tsvector('pg_catalog.english', words); end",
    },
    {
      // All words, each by its beginning or its stem. Words such as "the" count only where there are no others.
      name: "baasix_search_query",
      takes: "content text",
      head: `returns tsquery ${lead} cost 1000`,
      body: `declare word text; exact tsquery; stem text; wanted tsquery; common tsquery;
begin
  foreach word in array regexp_split_to_array(lower(public.baasix_words(content)), '\\s+') loop
    continue when word = '';
    exact := to_tsquery('pg_catalog.simple', quote_literal(word) || ':*');
    continue when numnode(exact) = 0;
    stem := coalesce((ts_lexize('pg_catalog.english_stem', word))[1], '');
    if stem = '' then
      common := coalesce(common && exact, exact);
      continue;
    elsif numnode(exact) = 1 then
      -- What begins with the stem includes what begins with the word, where the stem is its beginning.
      exact := case when starts_with(word, stem) then (quote_literal(stem) || ':*')::tsquery
        else (quote_literal(stem) || ':*')::tsquery || exact end;
    end if;
    wanted := coalesce(wanted && exact, exact);
  end loop;
  return coalesce(wanted, common, ''::tsquery);
end`,
    },
    {
      // Whole words count beside their beginnings: "art" is nearer to "art" than to "artificial".
      name: "baasix_search_rank",
      takes: "vector tsvector, beginnings tsquery, words tsquery",
      head: `returns real ${lead}`,
      body: "begin return ts_rank(vector, beginnings) + ts_rank(vector, words); end",
    },
  ];
}

/** What brings the functions up to date, given the rows of `loadFunctions`; nothing when they are. */
export function putSearchFunctions(
  present: readonly (readonly unknown[])[],
  extensions: ReadonlySet<string>,
): readonly Statement[] {
  const wanted = searchFunctions(extensions.has("unaccent"));
  const known = new Map(present.map(([name, , , body]) => [String(name), body]));
  const isNew = !wanted.some(({ name }) => known.has(name));
  const saysOtherwise = wanted.some(({ name, body }) => known.get(name) !== body);
  return [...staleFunctions(wanted, present).map(putFunction), ...(saysOtherwise && !isNew ? [reindex] : [])];
}

/** Indexes hold what the functions said when rows were written. */
const reindex: Statement = plain(
  `do $$ declare i record; begin
  for i in select indexname from pg_indexes where schemaname = 'public' and indexdef ~ 'baasix_(search_vector|likeness)\\(' loop
    execute format('reindex index public.%I', i.indexname);
  end loop; end $$`,
);
