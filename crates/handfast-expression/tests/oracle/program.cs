// Runs each recorded expression and prints what it gives, in the words of the recorded results. The rows stand
// where the last lines say so; see oracle.rs.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.RegularExpressions;
using System.Threading;
using System.Xml;
using System.Xml.Linq;
using System.Xml.XPath;
using Newtonsoft.Json;
using Newtonsoft.Json.Linq;

static class Oracle
{
    static readonly Stream Out = Console.OpenStandardOutput();

    static readonly Dictionary<Type, string> Keywords = new Dictionary<Type, string>
    {
        { typeof(byte), "byte" }, { typeof(sbyte), "sbyte" }, { typeof(short), "short" }, { typeof(ushort), "ushort" },
        { typeof(int), "int" }, { typeof(uint), "uint" }, { typeof(long), "long" }, { typeof(ulong), "ulong" },
        { typeof(float), "float" }, { typeof(double), "double" }, { typeof(decimal), "decimal" },
    };

    static string Shown(object value)
    {
        if (value == null) return "null";
        if (value is string)
        {
            var text = ((string)value).Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n").Replace("\t", "\\t");
            return "string \"" + text + "\"";
        }
        if (value is char) return "char '" + value + "'";
        if (value is bool) return "bool " + ((bool)value ? "true" : "false");
        string keyword;
        var type = Keywords.TryGetValue(value.GetType(), out keyword) ? keyword : value.GetType().Name;
        return type + " " + (value is double ? Shortest((double)value) : value.ToString());
    }

    // The shortest digits that read back as the number, as .NET has printed since version 3.0.
    static string Shortest(double number)
    {
        return new[] { "G15", "G16", "G17" }.Select(format => number.ToString(format))
            .FirstOrDefault(text => double.Parse(text) == number) ?? number.ToString();
    }

    static void Run(string id, Func<object> row)
    {
        string result;
        try { result = Shown(row()); }
        catch (Exception e) { result = "throws " + e.GetType().Name; }
        var bytes = new UTF8Encoding(false).GetBytes(id + "\t" + result + "\u001e");
        Out.Write(bytes, 0, bytes.Length);
    }

    static void Main()
    {
        Thread.CurrentThread.CurrentCulture = new CultureInfo("en-US");
        Rows();
    }
