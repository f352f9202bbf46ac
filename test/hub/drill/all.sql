--
-- PostgreSQL database cluster dump
--

\restrict aXFXt3DzMmtHAUCErG7bicvnXt83ZzxivDEqnUyqJgSWSKz3MCePAOcO0Vg603C

SET default_transaction_read_only = off;

SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;

--
-- Roles
--

CREATE ROLE outline;
ALTER ROLE outline WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB LOGIN NOREPLICATION NOBYPASSRLS PASSWORD 'SCRAM-SHA-256$4096:v1eW/x6skOYTQclu5q+aMA==$xYnCh97/V2SrP1ircMJGeeyixWxPCm85McXFB3tBzpY=:/WDgSMco3TomVzZkIRuxGRsJbfQVkW6jaDHpno6VBoo=';
CREATE ROLE postgres;
ALTER ROLE postgres WITH SUPERUSER INHERIT CREATEROLE CREATEDB LOGIN REPLICATION BYPASSRLS;
CREATE ROLE reader;
ALTER ROLE reader WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB NOLOGIN NOREPLICATION NOBYPASSRLS;

--
-- User Configurations
--








\unrestrict aXFXt3DzMmtHAUCErG7bicvnXt83ZzxivDEqnUyqJgSWSKz3MCePAOcO0Vg603C

--
-- Databases
--

--
-- Database "template1" dump
--

\connect template1

--
-- PostgreSQL database dump
--

\restrict KucrhSCMxwx18X23M4XhQzJpkyTBeVdlXZaJ0rUePmToaJbA7Wb8Izc7LfeqPFv

-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- PostgreSQL database dump complete
--

\unrestrict KucrhSCMxwx18X23M4XhQzJpkyTBeVdlXZaJ0rUePmToaJbA7Wb8Izc7LfeqPFv

--
-- Database "odd name" dump
--

--
-- PostgreSQL database dump
--

\restrict U7PVrvNxbZlAOtVAbz43VfeMcgCqhe638nUHSep1VQuPdbmpCnIraPPYwV4d8tO

-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: odd name; Type: DATABASE; Schema: -; Owner: postgres
--

CREATE DATABASE "odd name" WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = libc LOCALE = 'C';


ALTER DATABASE "odd name" OWNER TO postgres;

\unrestrict U7PVrvNxbZlAOtVAbz43VfeMcgCqhe638nUHSep1VQuPdbmpCnIraPPYwV4d8tO
\encoding SQL_ASCII
\connect -reuse-previous=on "dbname='odd name'"
\restrict U7PVrvNxbZlAOtVAbz43VfeMcgCqhe638nUHSep1VQuPdbmpCnIraPPYwV4d8tO

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- PostgreSQL database dump complete
--

\unrestrict U7PVrvNxbZlAOtVAbz43VfeMcgCqhe638nUHSep1VQuPdbmpCnIraPPYwV4d8tO

--
-- Database "outline" dump
--

--
-- PostgreSQL database dump
--

\restrict Of1KuhlT9IrIwg0FjXYO0XQHGnvMV2J2GT17zl3kUjp8vHdNc7ngtUJ33W1Pd4e

-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: outline; Type: DATABASE; Schema: -; Owner: outline
--

CREATE DATABASE outline WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = libc LOCALE = 'C';


ALTER DATABASE outline OWNER TO outline;

\unrestrict Of1KuhlT9IrIwg0FjXYO0XQHGnvMV2J2GT17zl3kUjp8vHdNc7ngtUJ33W1Pd4e
\connect outline
\restrict Of1KuhlT9IrIwg0FjXYO0XQHGnvMV2J2GT17zl3kUjp8vHdNc7ngtUJ33W1Pd4e

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: citext; Type: EXTENSION; Schema: -; Owner: -
--

CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA public;


--
-- Name: EXTENSION citext; Type: COMMENT; Schema: -; Owner: 
--

COMMENT ON EXTENSION citext IS 'data type for case-insensitive character strings';


--
-- Name: uuid-ossp; Type: EXTENSION; Schema: -; Owner: -
--

CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public;


--
-- Name: EXTENSION "uuid-ossp"; Type: COMMENT; Schema: -; Owner: 
--

COMMENT ON EXTENSION "uuid-ossp" IS 'generate universally unique identifiers (UUIDs)';


--
-- Name: touch(); Type: FUNCTION; Schema: public; Owner: outline
--

CREATE FUNCTION public.touch() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  NEW.at := now();
  RETURN NEW;
END $$;


ALTER FUNCTION public.touch() OWNER TO outline;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: documents; Type: TABLE; Schema: public; Owner: outline
--

CREATE TABLE public.documents (
    id integer NOT NULL,
    title text NOT NULL,
    body text,
    at timestamp with time zone DEFAULT '2026-01-01 00:00:00+00'::timestamp with time zone
);


ALTER TABLE public.documents OWNER TO outline;

--
-- Name: documents_id_seq; Type: SEQUENCE; Schema: public; Owner: outline
--

CREATE SEQUENCE public.documents_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


ALTER TABLE public.documents_id_seq OWNER TO outline;

--
-- Name: documents_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: outline
--

ALTER SEQUENCE public.documents_id_seq OWNED BY public.documents.id;


--
-- Name: titles; Type: VIEW; Schema: public; Owner: outline
--

CREATE VIEW public.titles AS
 SELECT documents.title
   FROM public.documents;


ALTER TABLE public.titles OWNER TO outline;

--
-- Name: documents id; Type: DEFAULT; Schema: public; Owner: outline
--

ALTER TABLE ONLY public.documents ALTER COLUMN id SET DEFAULT nextval('public.documents_id_seq'::regclass);


--
-- Data for Name: documents; Type: TABLE DATA; Schema: public; Owner: outline
--

COPY public.documents (id, title, body, at) FROM stdin;
1	Page 1	tab\there\nline \\ back \\connect nowhere	2026-01-01 00:00:00+00
2	Page 2	tab\there\nline \\ back \\connect nowhere	2026-01-01 00:00:00+00
3	Page 3	tab\there\nline \\ back \\connect nowhere	2026-01-01 00:00:00+00
4	Page 4	tab\there\nline \\ back \\connect nowhere	2026-01-01 00:00:00+00
5	Page 5	tab\there\nline \\ back \\connect nowhere	2026-01-01 00:00:00+00
6	Page 6	tab\there\nline \\ back \\connect nowhere	2026-01-01 00:00:00+00
7	Page 7	tab\there\nline \\ back \\connect nowhere	2026-01-01 00:00:00+00
8	Page 8	tab\there\nline \\ back \\connect nowhere	2026-01-01 00:00:00+00
9	Page 9	tab\there\nline \\ back \\connect nowhere	2026-01-01 00:00:00+00
10	Page 10	tab\there\nline \\ back \\connect nowhere	2026-01-01 00:00:00+00
11	Page 11	tab\there\nline \\ back \\connect nowhere	2026-01-01 00:00:00+00
12	Page 12	tab\there\nline \\ back \\connect nowhere	2026-01-01 00:00:00+00
13	Page 13	tab\there\nline \\ back \\connect nowhere	2026-01-01 00:00:00+00
14	Page 14	tab\there\nline \\ back \\connect nowhere	2026-01-01 00:00:00+00
15	Page 15	tab\there\nline \\ back \\connect nowhere	2026-01-01 00:00:00+00
16	Page 16	tab\there\nline \\ back \\connect nowhere	2026-01-01 00:00:00+00
17	Page 17	tab\there\nline \\ back \\connect nowhere	2026-01-01 00:00:00+00
18	Page 18	tab\there\nline \\ back \\connect nowhere	2026-01-01 00:00:00+00
19	Page 19	tab\there\nline \\ back \\connect nowhere	2026-01-01 00:00:00+00
20	Page 20	tab\there\nline \\ back \\connect nowhere	2026-01-01 00:00:00+00
\.


--
-- Name: documents_id_seq; Type: SEQUENCE SET; Schema: public; Owner: outline
--

SELECT pg_catalog.setval('public.documents_id_seq', 20, true);


--
-- Name: documents documents_pkey; Type: CONSTRAINT; Schema: public; Owner: outline
--

ALTER TABLE ONLY public.documents
    ADD CONSTRAINT documents_pkey PRIMARY KEY (id);


--
-- Name: documents t; Type: TRIGGER; Schema: public; Owner: outline
--

CREATE TRIGGER t BEFORE UPDATE ON public.documents FOR EACH ROW EXECUTE FUNCTION public.touch();


--
-- Name: documents; Type: ROW SECURITY; Schema: public; Owner: outline
--

ALTER TABLE public.documents ENABLE ROW LEVEL SECURITY;

--
-- Name: documents p; Type: POLICY; Schema: public; Owner: outline
--

CREATE POLICY p ON public.documents TO reader USING (true);


--
-- Name: TABLE documents; Type: ACL; Schema: public; Owner: outline
--

GRANT SELECT ON TABLE public.documents TO PUBLIC;


--
-- PostgreSQL database dump complete
--

\unrestrict Of1KuhlT9IrIwg0FjXYO0XQHGnvMV2J2GT17zl3kUjp8vHdNc7ngtUJ33W1Pd4e

--
-- Database "postgres" dump
--

\connect postgres

--
-- PostgreSQL database dump
--

\restrict MuEYFLxSVCFcmZtr9bMgOQQnR9ezvIHJGRbDC7M5fqhVSUM3I23mcQ2Gq0fTaX4

-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- PostgreSQL database dump complete
--

\unrestrict MuEYFLxSVCFcmZtr9bMgOQQnR9ezvIHJGRbDC7M5fqhVSUM3I23mcQ2Gq0fTaX4

--
-- PostgreSQL database cluster dump complete
--

